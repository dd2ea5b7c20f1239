// Clients that live through what java_test.py does to the broker. They say what happens to them, a line each.
//
//     java -cp KAFKA_CLIENTS LongLived.java member BROKER TOPIC GROUP [INSTANCE]    as group_client.py
//     java -cp KAFKA_CLIENTS LongLived.java produce BROKER TOPIC COUNT              as idempotent_client.py

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

public class LongLived {
  static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  static void member(String broker, String topic, String group, String instance) {
    Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", broker, "group.id", group,
        "enable.auto.commit", "false", "auto.offset.reset", "earliest", "session.timeout.ms", "10000",
        "heartbeat.interval.ms", "500", "reconnect.backoff.max.ms", "200",
        "partition.assignment.strategy", CooperativeStickyAssignor.class.getName()));
    if (instance != null) settings.put("group.instance.id", instance);
    Queue<String> words = new ConcurrentLinkedQueue<>();
    Thread reader = new Thread(() -> {
      new BufferedReader(new InputStreamReader(System.in)).lines().forEach(words::add);
      words.add("close");
    });
    reader.setDaemon(true);
    reader.start();
    try (Consumer<String, String> consumer = new KafkaConsumer<>(settings, new StringDeserializer(),
        new StringDeserializer())) {
      Set<Integer> mine = new TreeSet<>();
      Runnable tell = () -> say("assigned " + mine.stream().map(String::valueOf).collect(Collectors.joining(" ")));
      consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
          for (TopicPartition p : partitions) mine.add(p.partition());
          tell.run();
        }
        @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
          for (TopicPartition p : partitions) mine.remove(p.partition());
          tell.run();
        }
      });
      for (String word = ""; !"close".equals(word); word = words.poll()) {
        for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) say("value " + r.value());
        if (!"commit".equals(word)) continue;
        consumer.commitSync();
        say("committed");
      }
    }
    say("closed");
  }

  static void produce(String broker, String topic, int count) throws Exception {
    AtomicInteger delivered = new AtomicInteger();
    AtomicReference<Exception> failed = new AtomicReference<>();
    Map<String, Object> settings = Map.of("bootstrap.servers", broker, "enable.idempotence", "true", "linger.ms", "1",
        "batch.size", "400", "buffer.memory", "40000", "max.block.ms", "120000", "reconnect.backoff.max.ms", "200",
        "retry.backoff.ms", "20", "request.timeout.ms", "5000");
    try (Producer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      for (int i = 0; i < count && failed.get() == null; i++) {
        producer.send(new ProducerRecord<>(topic, i % 3, null, Integer.toString(i)), (metadata, error) -> {
          if (error != null) failed.compareAndSet(null, error);
          else if (delivered.incrementAndGet() % 100 == 0) say(Integer.toString(delivered.get()));
        });
      }
      producer.flush();
    }
    if (failed.get() != null) throw failed.get();
    if (delivered.get() != count) throw new AssertionError(delivered + " of " + count + " were delivered");
  }

  public static void main(String[] args) throws Exception {
    if (args[0].equals("member")) member(args[1], args[2], args[3], args.length > 4 ? args[4] : null);
    else produce(args[1], args[2], Integer.parseInt(args[3]));
  }
}
