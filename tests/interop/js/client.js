// client.js LIBRARY check|member BROKER TOPIC ...: what interop/go/main.go says, with kafkajs or @platformatic/kafka.
const assert = require('node:assert');
const readline = require('node:readline');

const VALUES_PER_CODEC = 500;
const RETENTION = '86400000';

const say = (...what) => process.stdout.write(what.join(' ') + '\n');

async function check(client, topic, codecs) {
  await client.createTopic(topic, 2, { 'retention.ms': RETENTION });
  assert.strictEqual(await client.setting(topic, 'retention.ms'), RETENTION);
  const all = [];
  for (const codec of codecs) {
    const records = [...Array(VALUES_PER_CODEC).keys()].map((i) => ({
      key: String(i),
      value: `a value that compresses well, in ${codec}: ${i}`,
    }));
    await client.produce(topic, codec, records);
    all.push(...records);
  }
  assert.deepStrictEqual(await client.consume(topic, all.length), all);
  const gone = `${topic}-gone`;
  await client.createTopic(gone, 1, {});
  const present = await client.topics();
  assert(present.includes(topic) && present.includes(gone), `topics are ${present}`);
  await client.deleteTopic(gone);
  const left = await client.topics();
  assert(left.includes(topic) && !left.includes(gone), `topics are ${left}`);
}

async function serve(member) {
  for await (const word of readline.createInterface({ input: process.stdin })) {
    if (word === 'commit') {
      await member.commit();
      say('committed');
    } else if (word === 'close') {
      break;
    }
  }
  await member.leave();
  say('closed');
}

async function main() {
  const [library, use, broker, topic, ...rest] = process.argv.slice(2);
  const client = await require({ kafkajs: './kafkajs.js', platformatic: './platformatic.js' }[library]).open(broker);
  if (use === 'member') {
    await serve(await client.join(topic, rest[0], say));
  } else {
    await check(client, topic, rest);
  }
  await client.close();
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
