// What programs do with Apache Kafka's Java client, done once against a broker.
//
//     java -cp KAFKA_CLIENTS ClientTour.java BROKER PREFIX
//
// Compiles with kafka-clients 2.8 to 4.x: what they name differently is found by reflection. Each step is a method below,
// with topics of its own, PREFIX-*; it prints a line, and the status is 1 if one failed. PREFIX-codec-CODEC and
// PREFIX-once keep what java_test.py then looks for in the mount.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;  // not the one of the consumer
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.AppInfoParser;

public class ClientTour {
  static final Duration LIMIT = Duration.ofSeconds(30), POLL = Duration.ofMillis(50);
  static final String RANGE = RangeAssignor.class.getName(), COOPERATIVE = CooperativeStickyAssignor.class.getName();

  static String broker, prefix;
  static Admin admin;

  // ------------------------------------------------------------------------------------------------- topics

  static void topicsAreMadeShownChangedGrownAndRemoved() throws Exception {
    String topic = make("topic", 2, Map.of("retention.ms", "86400000"));
    check(topics().contains(topic), true, "listed");
    check(partitions(topic), 2, "partitions");
    check(setting(topic, "retention.ms"), "86400000", "retention.ms");
    alter(topic, "max.message.bytes", "2000000", AlterConfigOp.OpType.SET);
    alter(topic, "retention.ms", "", AlterConfigOp.OpType.DELETE);
    check(setting(topic, "max.message.bytes"), "2000000", "what was set");
    check(setting(topic, "retention.ms"), setting(make("topic-plain", 1, Map.of()), "retention.ms"), "what was unset");
    admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
    check(partitions(topic), 5, "partitions after growing");
    fails(TopicExistsException.class, admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all());
    fails(InvalidPartitionsException.class, admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all());
    admin.deleteTopics(List.of(topic)).all().get();
    check(topics().contains(topic), false, "listed after its end");
    fails(UnknownTopicOrPartitionException.class, describe(topic));
  }

  static void theClusterIsDescribed() throws Exception {
    DescribeClusterResult cluster = admin.describeCluster();
    check(cluster.nodes().get().size(), 1, "nodes");
    check(cluster.controller().get().id(), cluster.nodes().get().iterator().next().id(), "the controller");
    check(cluster.clusterId().get().isEmpty(), false, "without an id");
    int node = cluster.controller().get().id();
    String topic = make("logdirs", 1, Map.of());
    produce(producer(Map.of()), topic, 0, values("x", 10));
    check(admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node).values().stream()
        .anyMatch(d -> d.replicaInfos().containsKey(new TopicPartition(topic, 0))), true, "in a log directory");
  }

  // ------------------------------------------------------------------------------------------------ records

  static void everyCodecGoesThroughAndBack() throws Exception {
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      String topic = make("codec-" + codec, 1, Map.of());
      produce(producer(Map.of("compression.type", codec, "linger.ms", "5")), topic, 0, values(codec, 2000));
      check(readAll(topic, 0), values(codec, 2000), codec);
    }
  }

  static void anIdempotentProducerKeepsItsOrder() throws Exception {
    String topic = make("once", 3, Map.of());
    try (Producer<String, String> p = producer(Map.of("enable.idempotence", "true", "batch.size", "200"))) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 0; i < 1500; i++) sent.add(p.send(new ProducerRecord<>(topic, i % 3, null, Integer.toString(i))));
      for (int i = 0; i < 1500; i++) check(sent.get(i).get().offset(), (long) (i / 3), "the offset of " + i);
    }
    for (int part = 0; part < 3; part++) {
      int first = part;
      check(readAll(topic, part), IntStream.range(0, 500).mapToObj(i -> Integer.toString(3 * i + first)).collect(
          Collectors.toList()), "partition " + part);
    }
  }

  static void keysHeadersTimestampsAndNullsComeBack() throws Exception {
    String topic = make("whole", 1, Map.of());
    try (Producer<String, String> p = producer(Map.of())) {
      p.send(new ProducerRecord<>(topic, 0, 1000L, "key", "value", List.of(new RecordHeader("h", new byte[] {0, 10}),
          new RecordHeader("h", null))));
      p.send(new ProducerRecord<>(topic, 0, 2000L, null, null, List.of()));
      RecordMetadata last = p.send(new ProducerRecord<>(topic, 0, 3000L, "", "")).get();
      check(last.offset(), 2L, "the last offset");
      check(last.timestamp(), 3000L, "the last timestamp");
    }
    try (Consumer<String, String> c = consumer(Map.of("isolation.level", "read_committed"))) {
      c.assign(List.of(new TopicPartition(topic, 0)));
      List<String> seen = new ArrayList<>();
      for (ConsumerRecord<String, String> r : read(c, 3))
        seen.add(r.offset() + " " + r.timestamp() + " " + r.key() + " " + r.value() + " " + Arrays.stream(
            r.headers().toArray()).map(h -> h.key() + Arrays.toString(h.value())).collect(Collectors.joining(",")));
      check(seen, List.of("0 1000 key value h[0, 10],hnull", "1 2000 null null ", "2 3000   "), "records");
    }
  }

  static void aRecordMayBeAsLargeAsTheTopicSaysAndNoLarger() throws Exception {
    String topic = make("large", 1, Map.of("max.message.bytes", "2000000"));
    try (Producer<String, String> p = producer(Map.of("max.request.size", "5000000"))) {
      String fits = "x".repeat(1_900_000);
      p.send(new ProducerRecord<>(topic, 0, null, fits)).get();
      fails(RecordTooLargeException.class, p.send(new ProducerRecord<>(topic, 0, null, fits + fits)));
      check(readAll(topic, 0).equals(List.of(fits)), true, "the large one came back");
    }
  }

  // ------------------------------------------------------------------------------------------------ offsets

  static void offsetsAreFoundByTimeAndOldRecordsAreRemoved() throws Exception {
    String topic = make("offsets", 2, Map.of());
    TopicPartition full = new TopicPartition(topic, 0), empty = new TopicPartition(topic, 1);
    try (Producer<String, String> p = producer(Map.of())) {
      for (int i = 0; i < 100; i++) p.send(new ProducerRecord<>(topic, 0, 1000L * i, null, "at " + i));
    }
    check(offset(full, OffsetSpec.earliest()), 0L, "earliest");
    check(offset(full, OffsetSpec.latest()), 100L, "latest");
    check(offset(full, OffsetSpec.forTimestamp(41_500)), 42L, "the first at or after a time");
    check(offset(full, OffsetSpec.forTimestamp(1_000_000)), -1L, "none at or after a time");
    check(offset(empty, OffsetSpec.latest()), 0L, "latest of an empty partition");
    check(admin.deleteRecords(Map.of(full, RecordsToDelete.beforeOffset(30))).lowWatermarks().get(full).get()
        .lowWatermark(), 30L, "the low watermark");
    check(offset(full, OffsetSpec.earliest()), 30L, "earliest after records were deleted");
    fails(OffsetOutOfRangeException.class, admin.deleteRecords(Map.of(full, RecordsToDelete.beforeOffset(101))).all());
    try (Consumer<String, String> c = consumer(Map.of())) {
      c.assign(List.of(full, empty));
      check(c.beginningOffsets(List.of(full, empty)), Map.of(full, 30L, empty, 0L), "beginnings");
      check(c.endOffsets(List.of(full, empty)), Map.of(full, 100L, empty, 0L), "ends");
      OffsetAndTimestamp found = c.offsetsForTimes(Map.of(full, 80_000L)).get(full);
      check(found.offset() + " " + found.timestamp(), "80 80000", "found by time");
      c.seek(full, found.offset());
      check(read(c, 20).get(0).value(), "at 80", "the first after seek()");
      c.seek(full, 7);
      check(read(c, 70).get(0).value(), "at 30", "the first where the wanted one is gone");
      c.seekToEnd(List.of(full));
      check(c.position(full), 100L, "the position at the end");
    }
  }

  // ------------------------------------------------------------------------------------------------- groups

  static void twoEagerConsumersShareAGroup() throws Exception {
    twoConsumersShareAGroup("eager", RANGE);
  }

  static void twoCooperativeConsumersShareAGroup() throws Exception {
    twoConsumersShareAGroup("cooperative", COOPERATIVE);
  }

  static void twoConsumersShareAGroup(String name, String assignor) throws Exception {
    String topic = make(name, 4, Map.of()), group = topic;
    produceToAll(topic, "first");
    try (Member a = new Member(group, topic, assignor)) {
      poll(() -> a.values.size() == 4, "the first values", a);
      check(a.values, expected("first"), "read first");
      a.client.commitSync();
      try (Member b = new Member(group, topic, assignor)) {
        poll(() -> a.partitions().size() == 2 && b.partitions().size() == 2, "two each", a, b);
        if (assignor.equals(COOPERATIVE)) check(a.revoked, 2, "partitions that the first one gave up");
        produceToAll(topic, "second");
        poll(() -> a.values.size() + b.values.size() == 8, "the second values", a, b);
        check(b.values.size(), 2, "values at the second one");
        b.client.commitSync();
        a.client.commitSync();
      }
      poll(() -> a.partitions().size() == 4, "all partitions again", a);
      produceToAll(topic, "third");
      poll(() -> a.values.size() == 10, "the third values", a);
      TopicPartition one = new TopicPartition(topic, 1);
      a.client.commitSync(Map.of(one, new OffsetAndMetadata(3, "a note")));
      OffsetAndMetadata committed = a.client.committed(Set.of(one)).get(one);
      check(committed.offset() + " " + committed.metadata(), "3 a note", "committed");
      fails(GroupNotEmptyException.class, admin.deleteConsumerGroups(List.of(group)).all());
    }
    try (Member c = new Member(group, topic, assignor)) {  // goes on where the group has committed
      poll(() -> c.values.size() == 3, "what was not committed", c);
      check(c.values, List.of("third 0", "third 2", "third 3"), "read by the next member");
    }
  }

  static void aStaticMemberComesBackToItsPartitions() throws Exception {
    String topic = make("static", 4, Map.of()), group = topic;
    try (Member a = new Member(group, topic, RANGE, "group.instance.id", "one")) {
      Set<TopicPartition> had;
      try (Member b = new Member(group, topic, RANGE, "group.instance.id", "two")) {
        poll(() -> a.partitions().size() == 2 && b.partitions().size() == 2, "two each", a, b);
        had = b.partitions();
      }
      int revoked = a.revoked;
      try (Member b = new Member(group, topic, RANGE, "group.instance.id", "two")) {
        poll(() -> b.partitions().size() == 2, "its partitions", a, b);
        check(b.partitions(), had, "the partitions of the one that came back");
        produceToAll(topic, "x");
        poll(() -> a.values.size() + b.values.size() == 4, "values", a, b);
        check(a.revoked, revoked, "partitions taken from the other one");
      }
      admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(
          List.of(new MemberToRemove("two")))).all().get();
      poll(() -> a.partitions().size() == 4, "all partitions after the other one was removed", a);
    }
  }

  static void groupsAreListedDescribedResetAndDeleted() throws Exception {
    String topic = make("groups", 2, Map.of()), group = topic;
    TopicPartition zero = new TopicPartition(topic, 0), one = new TopicPartition(topic, 1);
    produceToAll(topic, "x");
    try (Member a = new Member(group, topic, RANGE, "client.id", "tour")) {
      poll(() -> a.values.size() == 2, "values", a);
      a.client.commitSync();
      check(groups().contains(group), true, "listed");
      ConsumerGroupDescription described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
      check(described.partitionAssignor(), "range", "the assignor");
      MemberDescription member = described.members().iterator().next();
      check(member.clientId() + " " + member.host(), "tour /127.0.0.1", "the member");
      check(member.assignment().topicPartitions(), Set.of(zero, one), "its partitions");
    }
    check(offsets(group), Map.of(zero, 1L, one, 1L), "offsets");
    admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(0))).all().get();
    check(offsets(group), Map.of(zero, 0L, one, 1L), "offsets after a reset");
    admin.deleteConsumerGroupOffsets(group, Set.of(one)).all().get();
    check(offsets(group), Map.of(zero, 0L), "offsets after one was deleted");
    admin.deleteConsumerGroups(List.of(group)).all().get();
    check(groups().contains(group), false, "listed after its end");
    fails(GroupIdNotFoundException.class, admin.deleteConsumerGroups(List.of(group)).all());
  }

  // ---------------------------------------------------------------------------------------------- machinery

  interface Step { void run() throws Exception; }

  public static void main(String[] args) {
    broker = args[0];
    prefix = args[1];
    Map<String, Step> steps = new LinkedHashMap<>();
    steps.put("topics are made, shown, changed, grown and removed", ClientTour::topicsAreMadeShownChangedGrownAndRemoved);
    steps.put("the cluster is described", ClientTour::theClusterIsDescribed);
    steps.put("every codec goes through and back", ClientTour::everyCodecGoesThroughAndBack);
    steps.put("an idempotent producer keeps its order", ClientTour::anIdempotentProducerKeepsItsOrder);
    steps.put("keys, headers, timestamps and nulls come back", ClientTour::keysHeadersTimestampsAndNullsComeBack);
    steps.put("a record may be as large as the topic says", ClientTour::aRecordMayBeAsLargeAsTheTopicSaysAndNoLarger);
    steps.put("offsets are found by time, old records removed", ClientTour::offsetsAreFoundByTimeAndOldRecordsAreRemoved);
    steps.put("two eager consumers share a group", ClientTour::twoEagerConsumersShareAGroup);
    steps.put("two cooperative consumers share a group", ClientTour::twoCooperativeConsumersShareAGroup);
    steps.put("a static member comes back to its partitions", ClientTour::aStaticMemberComesBackToItsPartitions);
    steps.put("groups are listed, described, reset and deleted", ClientTour::groupsAreListedDescribedResetAndDeleted);
    int failed = 0;
    admin = Admin.create(Map.<String, Object>of("bootstrap.servers", broker));
    for (Map.Entry<String, Step> step : steps.entrySet()) {
      long start = System.nanoTime();
      try {
        step.getValue().run();
        System.out.printf("%s passed: %s (%d ms)%n", AppInfoParser.getVersion(), step.getKey(),
            (System.nanoTime() - start) / 1_000_000);
      } catch (Throwable error) {
        failed++;
        System.out.printf("%s FAILED: %s: %s%n", AppInfoParser.getVersion(), step.getKey(), error);
        for (Throwable e = error; e != null; e = e.getCause())
          for (StackTraceElement at : e.getStackTrace())
            if (at.getClassName().startsWith("ClientTour")) System.out.println("    at line " + at.getLineNumber());
      }
    }
    admin.close(Duration.ofSeconds(5));
    System.exit(failed == 0 ? 0 : 1);
  }

  static void check(Object got, Object expected, String what) {
    if (!Objects.equals(got, expected)) {
      String text = String.valueOf(got);
      throw new AssertionError(what + ": " + text.substring(0, Math.min(300, text.length())) + " is not " + expected);
    }
  }

  static void fails(Class<? extends Exception> kind, Future<?> future) throws Exception {
    try {
      future.get();
    } catch (ExecutionException error) {
      if (kind.isInstance(error.getCause())) return;
      throw error;
    }
    throw new AssertionError("no " + kind.getSimpleName());
  }

  /** By the name of 3.1 and later, or by the name that 4.0 has removed. */
  @SuppressWarnings("unchecked")
  static KafkaFuture<Map<String, TopicDescription>> describe(String topic) throws Exception {
    DescribeTopicsResult result = admin.describeTopics(List.of(topic));
    String name = Arrays.stream(result.getClass().getMethods()).anyMatch(m -> m.getName().equals("allTopicNames"))
        ? "allTopicNames" : "all";
    return (KafkaFuture<Map<String, TopicDescription>>) result.getClass().getMethod(name).invoke(result);
  }

  static String make(String name, int partitions, Map<String, String> settings) throws Exception {
    String topic = prefix + "-" + name;
    admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(settings))).all().get();
    return topic;
  }

  static int partitions(String topic) throws Exception {
    return describe(topic).get().get(topic).partitions().size();
  }

  static Set<String> topics() throws Exception {
    return admin.listTopics().names().get();
  }

  @SuppressWarnings({"deprecation", "removal"})
  static Set<String> groups() throws Exception {
    return admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId).collect(Collectors.toSet());
  }

  static Map<TopicPartition, Long> offsets(String group) throws Exception {
    return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream().collect(
        Collectors.toMap(Map.Entry::getKey, e -> e.getValue().offset()));
  }

  static long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
    return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
  }

  static String setting(String topic, String name) throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name).value();
  }

  static void alter(String topic, String name, String value, AlterConfigOp.OpType how) throws Exception {
    admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic),
        List.of(new AlterConfigOp(new ConfigEntry(name, value), how)))).all().get();
  }

  static Producer<String, String> producer(Map<String, String> settings) {
    Map<String, Object> all = new HashMap<>(settings);
    all.put("bootstrap.servers", broker);
    all.put("acks", "all");
    all.put("max.block.ms", "20000");
    all.put("delivery.timeout.ms", "30000");
    all.put("request.timeout.ms", "20000");
    return new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
  }

  static Consumer<String, String> consumer(Map<String, String> settings) {
    Map<String, Object> all = new HashMap<>(settings);
    all.put("bootstrap.servers", broker);
    all.put("auto.offset.reset", "earliest");
    all.put("enable.auto.commit", "false");
    all.putIfAbsent("group.id", prefix + "-nobody");
    all.put("default.api.timeout.ms", "30000");
    return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
  }

  static List<String> values(String text, int count) {
    return IntStream.range(0, count).mapToObj(i -> text + " " + i + " " + "x".repeat(i % 50)).collect(Collectors.toList());
  }

  static void produce(Producer<String, String> producer, String topic, int partition, List<String> values) throws Exception {
    try (producer) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (String value : values) sent.add(producer.send(new ProducerRecord<>(topic, partition, null, value)));
      for (Future<RecordMetadata> each : sent) each.get();
    }
  }

  /** One value in each partition. */
  static void produceToAll(String topic, String text) throws Exception {
    try (Producer<String, String> p = producer(Map.of())) {
      for (int i = partitions(topic) - 1; i >= 0; i--) p.send(new ProducerRecord<>(topic, i, null, text + " " + i)).get();
    }
  }

  static List<String> expected(String text) {
    return IntStream.range(0, 4).mapToObj(i -> text + " " + i).collect(Collectors.toList());
  }

  /** At least so many, as long as they come in time. */
  static List<ConsumerRecord<String, String>> read(Consumer<String, String> consumer, int count) {
    List<ConsumerRecord<String, String>> got = new ArrayList<>();
    for (long end = System.nanoTime() + LIMIT.toNanos(); got.size() < count; ) {
      if (System.nanoTime() > end) throw new AssertionError(got.size() + " records instead of " + count);
      consumer.poll(POLL).forEach(got::add);
    }
    return got;
  }

  /** All values up to the end that the partition has now. */
  static List<String> readAll(String topic, int partition) {
    TopicPartition from = new TopicPartition(topic, partition);
    try (Consumer<String, String> c = consumer(Map.of())) {
      c.assign(List.of(from));
      int count = c.endOffsets(List.of(from)).get(from).intValue();
      return read(c, count).stream().map(ConsumerRecord::value).collect(Collectors.toList());
    }
  }

  static class Member implements AutoCloseable, ConsumerRebalanceListener {
    final Consumer<String, String> client;
    final List<String> values = new ArrayList<>();
    int revoked;

    Member(String group, String topic, String assignor, String... more) {
      Map<String, String> settings = new HashMap<>(Map.of("group.id", group, "partition.assignment.strategy", assignor,
          "heartbeat.interval.ms", "200", "session.timeout.ms", "20000"));
      for (int i = 0; i < more.length; i += 2) settings.put(more[i], more[i + 1]);
      client = consumer(settings);
      client.subscribe(List.of(topic), this);
    }

    Set<TopicPartition> partitions() { return client.assignment(); }
    @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
    @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) { revoked += partitions.size(); }
    @Override public void close() { client.close(Duration.ofSeconds(10)); }
  }

  /** Polls them in turn until the condition holds; keeps what each has read sorted. */
  static void poll(BooleanSupplier condition, String what, Member... members) {
    for (long end = System.nanoTime() + LIMIT.toNanos(); !condition.getAsBoolean(); ) {
      if (System.nanoTime() > end)
        throw new AssertionError(what + ": not in time; " + Arrays.stream(members).map(m -> m.partitions() + " " + m.values)
            .collect(Collectors.joining(", ")));
      for (Member m : members) {
        m.client.poll(POLL).forEach(r -> m.values.add(r.value()));
        Collections.sort(m.values);
      }
    }
  }
}
