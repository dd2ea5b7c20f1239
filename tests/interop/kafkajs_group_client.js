// kafkajs_group_client.js BROKER TOPIC GROUP: a member of a group. Says and understands what group_client.py does.
const readline = require('node:readline');
const { Kafka, logLevel } = require('kafkajs');

const [broker, topic, groupId] = process.argv.slice(2);
const say = (...what) => process.stdout.write(what.join(' ') + '\n');

async function main() {
  const kafka = new Kafka({ clientId: 'interop', brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
  const consumer = kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 500, rebalanceTimeout: 20000 });
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
  for await (const word of readline.createInterface({ input: process.stdin })) {
    if (word === 'commit') {
      await consumer.commitOffsets(Object.entries(next).map(([p, offset]) => ({ topic, partition: Number(p), offset })));
      say('committed');
    } else if (word === 'close') {
      break;
    }
  }
  await consumer.disconnect();
  say('closed');
  process.exit(0);
}

main().catch((error) => {
  say('error', error);
  process.exit(1);
});
