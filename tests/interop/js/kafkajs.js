// kafkajs with an idempotent producer. It brings gzip; snappy is its plugin, and LZ4 what @platformatic/kafka uses.
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs');

const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4 };

class Client {
  constructor(broker) {
    this.kafka = new Kafka({ clientId: 'interop', brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
    this.admin = this.kafka.admin();
  }

  async createTopic(topic, numPartitions, settings) {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    if (!await this.admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] })) {
      throw new Error(`${topic} was there before`);
    }
  }

  async setting(topic, name) {
    const found = await this.admin.describeConfigs({ includeSynonyms: false,
      resources: [{ type: 2, name: topic, configNames: [name] }] });
    return found.resources[0].configEntries.find((e) => e.configName === name).configValue;
  }

  deleteTopic(topic) {
    return this.admin.deleteTopics({ topics: [topic] });
  }

  topics() {
    return this.admin.listTopics();
  }

  async produce(topic, codec, records) {
    const producer = this.kafka.producer({ idempotent: true });
    await producer.connect();
    await producer.send({ topic, compression: CODECS[codec], messages: records.map((r) => ({ ...r, partition: 0 })) });
    await producer.disconnect();
  }

  // With kafkajs, whoever consumes is in a group.
  async consume(topic, count) {
    const consumer = this.kafka.consumer({ groupId: `${topic}-reader`, maxWaitTimeInMs: 500 });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const got = [];
    await new Promise((resolve, reject) => {
      consumer.on(consumer.events.CRASH, (e) => reject(e.payload.error));
      consumer.run({
        eachMessage: async ({ message }) => {
          got.push({ key: message.key.toString(), value: message.value.toString() });
          if (got.length === count) resolve();
        },
      });
    });
    await consumer.disconnect();
    return got;
  }

  async join(topic, groupId, say) {
    const consumer = this.kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 500, rebalanceTimeout: 20000,
      maxWaitTimeInMs: 500 }); // it beats between fetches
    consumer.on(consumer.events.GROUP_JOIN, (e) => say('assigned', ...(e.payload.memberAssignment[topic] || []).sort()));
    consumer.on(consumer.events.CRASH, (e) => say('error', e.payload.error));
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const next = {}; // offsets to commit
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        next[partition] = String(BigInt(message.offset) + 1n);
        say('value', message.value.toString());
      },
    });
    return {
      commit: () => consumer.commitOffsets(Object.entries(next).map(([p, offset]) => ({ topic, partition: Number(p), offset }))),
      leave: () => consumer.disconnect(),
    };
  }

  close() {
    return this.admin.disconnect();
  }
}

async function open(broker) {
  const { lz4Compress, lz4Decompress } = await import(require.resolve('@platformatic/wasm-utils'));
  CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async (encoder) => lz4Compress(encoder.buffer),
    decompress: async (buffer) => lz4Decompress(buffer),
  });
  const client = new Client(broker);
  await client.admin.connect();
  return client;
}

module.exports = { open };
