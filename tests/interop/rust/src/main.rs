//! interop check|member BROKER TOPIC ...: what interop/go/main.go says, with rust-rdkafka and the librdkafka that it
//! brings: an idempotent producer, cooperative members of groups.

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};
use std::time::Duration;

const VALUES_PER_CODEC: usize = 500;
const RETENTION: &str = "86400000";
const LIMIT: Duration = Duration::from_secs(20);

fn settings(broker: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker);
    config
}

fn value_of(codec: &str, i: usize) -> String {
    format!("a value that compresses well, in {codec}: {i}")
}

fn create_topic(admin: &AdminClient<DefaultClientContext>, topic: &str, partitions: i32) {
    let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(1)).set("retention.ms", RETENTION);
    let made = block_on(admin.create_topics(&[wanted], &AdminOptions::new())).unwrap();
    assert_eq!(made, [Ok(topic.to_string())]);
}

fn topics(admin: &AdminClient<DefaultClientContext>) -> Vec<String> {
    let metadata = admin.inner().fetch_metadata(None, LIMIT).unwrap();
    metadata.topics().iter().map(|t| t.name().to_string()).collect()
}

#[derive(Clone, Default)]
struct Delivered(Arc<AtomicUsize>);

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn produce(broker: &str, topic: &str, codec: &str) {
    let delivered = Delivered::default();
    let producer: ThreadedProducer<Delivered> = settings(broker)
        .set("enable.idempotence", "true")
        .set("compression.type", codec)
        .set("linger.ms", "20")
        .create_with_context(delivered.clone())
        .unwrap();
    for i in 0..VALUES_PER_CODEC {
        let (key, value) = (i.to_string(), value_of(codec, i));
        producer.send(BaseRecord::to(topic).partition(0).key(&key).payload(&value)).map_err(|(e, _)| e).unwrap();
    }
    producer.flush(LIMIT).unwrap();
    assert_eq!(delivered.0.load(Ordering::SeqCst), VALUES_PER_CODEC, "delivered");
}

fn check(broker: &str, topic: &str, codecs: &[String]) {
    let admin: AdminClient<DefaultClientContext> = settings(broker).create().unwrap();
    create_topic(&admin, topic, 2);
    let found = block_on(admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &AdminOptions::new())).unwrap();
    let retention = found[0].as_ref().unwrap().get("retention.ms").unwrap().value.as_deref();
    assert_eq!(retention, Some(RETENTION));

    for codec in codecs {
        produce(broker, topic, codec);
    }
    let consumer: BaseConsumer =
        settings(broker).set("group.id", "none").set("enable.auto.commit", "false").create().unwrap();
    let mut start = TopicPartitionList::new();
    start.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&start).unwrap();
    for (i, codec) in codecs.iter().flat_map(|c| (0..VALUES_PER_CODEC).map(move |i| (i, c))) {
        let message = consumer.poll(LIMIT).expect("a record").unwrap();
        assert_eq!(message.key(), Some(i.to_string().as_bytes()));
        assert_eq!(message.payload(), Some(value_of(codec, i).as_bytes()));
    }

    consumer.unassign().unwrap(); // a consumer that still has partitions may never be done with closing
    drop(consumer);

    let gone = format!("{topic}-gone");
    create_topic(&admin, &gone, 1);
    assert!(topics(&admin).contains(&gone));
    let deleted = block_on(admin.delete_topics(&[gone.as_str()], &AdminOptions::new())).unwrap();
    assert_eq!(deleted, [Ok(gone.clone())]);
    assert!(!topics(&admin).contains(&gone));
}

struct Share;

impl ClientContext for Share {}

impl ConsumerContext for Share {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        let Ok(assigned) = consumer.assignment() else { return }; // while it is dropped, there may be none to ask
        let mut partitions: Vec<i32> = assigned.elements().iter().map(|e| e.partition()).collect();
        partitions.sort();
        let words: Vec<String> = partitions.iter().map(|p| p.to_string()).collect();
        println!("assigned {}", words.join(" "));
    }
}

fn serve(broker: &str, topic: &str, group: &str) {
    let (sender, words) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            sender.send(line.unwrap()).unwrap();
        }
    });
    let consumer: BaseConsumer<Share> = settings(broker)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "500")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .create_with_context(Share)
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    loop {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => println!("value {}", String::from_utf8_lossy(message.payload().unwrap())),
            Some(Err(error)) => println!("error {error}"),
            None => {}
        }
        match words.try_recv().as_deref() {
            Ok("commit") => {
                consumer.commit_consumer_state(CommitMode::Sync).unwrap();
                println!("committed");
            }
            Ok("close") | Err(mpsc::TryRecvError::Disconnected) => break,
            _ => {}
        }
    }
    drop(consumer); // leaves the group
    println!("closed");
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args[0].as_str() {
        "member" => serve(&args[1], &args[2], &args[3]),
        "check" => check(&args[1], &args[2], &args[3..]),
        other => panic!("{other:?} is neither check nor member"),
    }
}
