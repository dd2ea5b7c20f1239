// kafkajs_client.js BROKER TOPIC: makes a topic of two partitions, produces 500 values to the second, and
// checks its end. Consuming with kafkajs takes a consumer group.
const assert = require('node:assert');
const { Kafka, logLevel } = require('kafkajs');

const COUNT = 500;
const [broker, topic] = process.argv.slice(2);

async function main() {
  const kafka = new Kafka({ clientId: 'interop', brokers: [broker], logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  await admin.connect();
  assert(await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] }));
  const producer = kafka.producer();
  await producer.connect();
  const messages = [...Array(COUNT).keys()].map((i) => ({ partition: 1, value: `value ${i}` }));
  const [sent] = await producer.send({ topic, messages, acks: -1 });
  assert.strictEqual(sent.errorCode, 0);
  assert.strictEqual(sent.baseOffset, '0');
  await producer.disconnect();
  const ends = await admin.fetchTopicOffsets(topic);
  assert.deepStrictEqual(ends.map((e) => [e.partition, e.high]).sort(), [[0, '0'], [1, String(COUNT)]]);
  await admin.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
