// @platformatic/kafka with an idempotent producer.
class Client {
  constructor(library, broker) {
    this.library = library;
    this.settings = { clientId: 'interop', bootstrapBrokers: [broker] };
    this.admin = new library.Admin(this.settings);
  }

  createTopic(topic, partitions, settings) {
    const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
    return this.admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
  }

  async setting(topic, name) {
    const resourceType = this.library.ConfigResourceTypes.TOPIC;
    const [found] = await this.admin.describeConfigs({
      resources: [{ resourceType, resourceName: topic, configurationKeys: [name] }] });
    return found.configs.find((c) => c.name === name).value;
  }

  deleteTopic(topic) {
    return this.admin.deleteTopics({ topics: [topic] });
  }

  topics() {
    return this.admin.listTopics();
  }

  async produce(topic, compression, records) {
    const { Producer, stringSerializers } = this.library;
    const producer = new Producer({ ...this.settings, serializers: stringSerializers, idempotent: true });
    await producer.send({ compression, messages: records.map((r) => ({ ...r, topic, partition: 0 })) });
    await producer.close();
  }

  // As with kafkajs, whoever consumes is in a group.
  async consume(topic, count) {
    const consumer = this.consumer(`${topic}-reader`);
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: true });
    const got = [];
    for await (const { key, value } of stream) {
      got.push({ key, value });
      if (got.length === count) break;
    }
    await consumer.close(true);
    return got;
  }

  consumer(groupId) {
    const { Consumer, stringDeserializers } = this.library;
    return new Consumer({ ...this.settings, groupId, deserializers: stringDeserializers, sessionTimeout: 10000,
      heartbeatInterval: 500, rebalanceTimeout: 20000, maxWaitTime: 500 });
  }

  async join(topic, groupId, say) {
    const consumer = this.consumer(groupId);
    consumer.on('consumer:group:join', ({ assignments }) =>
      say('assigned', ...assignments.filter((a) => a.topic === topic).flatMap((a) => a.partitions).sort()));
    const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest', autocommit: false });
    const last = {}; // of each partition
    stream.on('data', (message) => {
      last[message.partition] = message;
      say('value', message.value);
    });
    stream.on('error', (error) => say('error', error));
    return {
      commit: async () => {
        for (const message of Object.values(last)) await message.commit();
      },
      leave: () => consumer.close(true),
    };
  }

  close() {
    return this.admin.close();
  }
}

async function open(broker) {
  return new Client(await import(require.resolve('@platformatic/kafka')), broker);
}

module.exports = { open };
