// Kafka Streams' word count, at least once, run twice with state of its own each time.
//
//     java -cp KAFKA_STREAMS WordCount.java BROKER DIRECTORY
//
// The second run begins with an empty state directory and must restore the counts from the changelog topic. Both wait
// until the topic "counts" says what was expected; status 1 if it does not in time.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.*;

public class WordCount {
  static final Duration LIMIT = Duration.ofSeconds(60);

  static String broker;

  static Topology topology() {
    StreamsBuilder builder = new StreamsBuilder();
    builder.<String, String>stream("words").flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word)  // by way of a repartition topic
        .count(Materialized.as("store")).toStream().to("counts", Produced.with(Serdes.String(), Serdes.Long()));
    return builder.build();
  }

  static void run(String directory, Map<String, Long> expected, String... lines) throws Exception {
    try (Producer<String, String> producer = new KafkaProducer<>(Map.of("bootstrap.servers", broker), new StringSerializer(),
        new StringSerializer())) {
      for (String line : lines) producer.send(new ProducerRecord<>("words", line));
    }
    Properties settings = new Properties();
    settings.putAll(Map.of("application.id", "wordcount", "bootstrap.servers", broker, "state.dir", directory,
        "processing.guarantee", "at_least_once", "commit.interval.ms", "100", "num.stream.threads", "2",
        "default.key.serde", Serdes.StringSerde.class.getName(), "default.value.serde", Serdes.StringSerde.class.getName()));
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    // Streams does not leave its group: the second run begins when the sessions of the first are over.
    settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), "6000");
    settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), "500");
    CountDownLatch failed = new CountDownLatch(1);
    try (KafkaStreams streams = new KafkaStreams(topology(), settings)) {
      streams.setUncaughtExceptionHandler(error -> {
        error.printStackTrace(System.out);
        failed.countDown();
        return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
      });
      streams.start();
      Map<String, Long> counts = new TreeMap<>();
      try (Consumer<String, Long> consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", broker),
          new StringDeserializer(), new LongDeserializer())) {
        List<TopicPartition> all = List.of(new TopicPartition("counts", 0), new TopicPartition("counts", 1));
        consumer.assign(all);
        consumer.seekToBeginning(all);
        for (long end = System.nanoTime() + LIMIT.toNanos(); !counts.equals(expected); ) {
          if (System.nanoTime() > end || failed.getCount() == 0)
            throw new AssertionError(counts + " is not " + expected + "; streams: " + streams.state());
          for (ConsumerRecord<String, Long> r : consumer.poll(Duration.ofMillis(100))) counts.put(r.key(), r.value());
        }
      }
      System.out.println("passed: counted " + counts);
    }
  }

  public static void main(String[] args) throws Exception {
    broker = args[0];
    try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", broker))) {
      admin.createTopics(List.of(new NewTopic("words", 2, (short) 1), new NewTopic("counts", 2, (short) 1))).all().get();
      run(args[1] + "/first", new TreeMap<>(Map.of("a", 3L, "b", 2L, "c", 1L)), "a b a", "c b", "a");
      run(args[1] + "/second", new TreeMap<>(Map.of("a", 4L, "b", 2L, "c", 1L, "d", 1L)), "a d");
      Set<String> topics = admin.listTopics().names().get();
      for (String topic : List.of("wordcount-store-changelog", "wordcount-store-repartition"))
        if (!topics.contains(topic)) throw new AssertionError("no topic " + topic + ": " + topics);
    }
  }
}
