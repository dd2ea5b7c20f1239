/* rdkafka check|member BROKER TOPIC ...: what interop/go/main.go says, with librdkafka's C API: an idempotent producer,
 * eager members of groups, the admin API. */
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kValuesPerCodec = 500, kCallMs = 20000, kMaxValue = 100, kMaxName = 300 };
static const char* const kRetention = "86400000";

static char error_text[512];

static void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

static void must(rd_kafka_resp_err_t error, const char* what) {
  if (error) fail("%s: %s", what, rd_kafka_err2str(error));
}

static void set(rd_kafka_conf_t* conf, const char* name, const char* value) {
  if (rd_kafka_conf_set(conf, name, value, error_text, sizeof error_text) != RD_KAFKA_CONF_OK) fail("%s", error_text);
}

static rd_kafka_conf_t* settings(const char* broker) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", broker);
  return conf;
}

/* Takes `conf`. */
static rd_kafka_t* client(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  rd_kafka_t* made = rd_kafka_new(type, conf, error_text, sizeof error_text);
  if (!made) fail("%s", error_text);
  return made;
}

static void check_topic_results(const rd_kafka_topic_result_t** results, size_t count) {
  if (count != 1) fail("%zu results", count);
  must(rd_kafka_topic_result_error(results[0]), rd_kafka_topic_result_name(results[0]));
}

static rd_kafka_event_t* answer(rd_kafka_queue_t* queue) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kCallMs);
  if (!event) fail("no answer within %d ms", kCallMs);
  must(rd_kafka_event_error(event), "an administrator's request");
  return event;
}

static void create_topic(rd_kafka_t* admin, rd_kafka_queue_t* queue, const char* topic, int partitions) {
  rd_kafka_NewTopic_t* wanted = rd_kafka_NewTopic_new(topic, partitions, 1, error_text, sizeof error_text);
  if (!wanted) fail("%s", error_text);
  must(rd_kafka_NewTopic_set_config(wanted, "retention.ms", kRetention), "retention.ms");
  rd_kafka_CreateTopics(admin, &wanted, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue);
  size_t count;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
  check_topic_results(results, count);
  rd_kafka_event_destroy(event);
  rd_kafka_NewTopic_destroy(wanted);
}

static void delete_topic(rd_kafka_t* admin, rd_kafka_queue_t* queue, const char* topic) {
  rd_kafka_DeleteTopic_t* unwanted = rd_kafka_DeleteTopic_new(topic);
  rd_kafka_DeleteTopics(admin, &unwanted, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue);
  size_t count;
  const rd_kafka_topic_result_t** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
  check_topic_results(results, count);
  rd_kafka_event_destroy(event);
  rd_kafka_DeleteTopic_destroy(unwanted);
}

static void check_retention(rd_kafka_t* admin, rd_kafka_queue_t* queue, const char* topic) {
  rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
  rd_kafka_DescribeConfigs(admin, &resource, 1, NULL, queue);
  rd_kafka_event_t* event = answer(queue);
  size_t count, entries;
  const rd_kafka_ConfigResource_t** resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
  if (count != 1) fail("%zu resources", count);
  must(rd_kafka_ConfigResource_error(resources[0]), "the topic's settings");
  const rd_kafka_ConfigEntry_t** entry = rd_kafka_ConfigResource_configs(resources[0], &entries);
  const char* found = NULL;
  for (size_t i = 0; i < entries; ++i)
    if (!strcmp(rd_kafka_ConfigEntry_name(entry[i]), "retention.ms")) found = rd_kafka_ConfigEntry_value(entry[i]);
  if (!found || strcmp(found, kRetention)) fail("retention.ms is %s", found ? found : "missing");
  rd_kafka_event_destroy(event);
  rd_kafka_ConfigResource_destroy(resource);
}

static size_t value_text(char* text, const char* codec, int i) {
  return (size_t)snprintf(text, kMaxValue, "a value that compresses well, in %s: %d", codec, i);
}

static int undelivered;

static void delivered(rd_kafka_t* producer, const rd_kafka_message_t* message, void* opaque) {
  (void)producer, (void)opaque;
  if (message->err) ++undelivered;
}

static void produce(const char* broker, const char* topic, const char* codec) {
  rd_kafka_conf_t* conf = settings(broker);
  set(conf, "enable.idempotence", "true");
  set(conf, "compression.type", codec);
  set(conf, "linger.ms", "20");
  rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  rd_kafka_t* producer = client(RD_KAFKA_PRODUCER, conf);
  char key[20], value[kMaxValue];
  for (int i = 0; i < kValuesPerCodec; ++i) {
    size_t key_size = (size_t)snprintf(key, sizeof key, "%d", i), size = value_text(value, codec, i);
    must(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_size),
                           RD_KAFKA_V_VALUE(value, size), RD_KAFKA_V_END), "produce");
  }
  must(rd_kafka_flush(producer, kCallMs), "flush");
  if (undelivered) fail("%d values were not delivered", undelivered);
  rd_kafka_destroy(producer);
}

static void consume(const char* broker, const char* topic, char** codecs, int count) {
  rd_kafka_conf_t* conf = settings(broker);
  set(conf, "group.id", "none");
  set(conf, "enable.auto.commit", "false");
  rd_kafka_t* consumer = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* partitions = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(partitions, topic, 0)->offset = 0;
  must(rd_kafka_assign(consumer, partitions), "assign");
  for (int i = 0; i < count * kValuesPerCodec; ++i) {
    char key[20], value[kMaxValue];
    size_t key_size = (size_t)snprintf(key, sizeof key, "%d", i % kValuesPerCodec);
    size_t size = value_text(value, codecs[i / kValuesPerCodec], i % kValuesPerCodec);
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, kCallMs);
    if (!message) fail("no record %d", i);
    must(message->err, "consume");
    if (message->offset != i || message->len != size || memcmp(message->payload, value, size) ||
        message->key_len != key_size || memcmp(message->key, key, key_size))
      fail("record %d is \"%.*s\"", i, (int)message->len, (const char*)message->payload);
    rd_kafka_message_destroy(message);
  }
  rd_kafka_topic_partition_list_destroy(partitions);
  must(rd_kafka_consumer_close(consumer), "close");
  rd_kafka_destroy(consumer);
}

static void check(const char* broker, const char* topic, char** codecs, int count) {
  rd_kafka_t* admin = client(RD_KAFKA_PRODUCER, settings(broker));
  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin);
  create_topic(admin, queue, topic, 2);
  check_retention(admin, queue, topic);
  for (int i = 0; i < count; ++i) produce(broker, topic, codecs[i]);
  consume(broker, topic, codecs, count);
  char gone[kMaxName];
  snprintf(gone, sizeof gone, "%s-gone", topic);
  create_topic(admin, queue, gone, 1);
  delete_topic(admin, queue, gone);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(admin);
}

/* An eager member has what it was given last, or nothing. */
static void rebalance(rd_kafka_t* consumer, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  (void)opaque;
  int assigned = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  rd_kafka_assign(consumer, assigned ? partitions : NULL);
  printf("assigned");
  for (int i = 0; assigned && i < partitions->cnt; ++i) printf(" %d", partitions->elems[i].partition);
  printf("\n");
}

/* A word from the standard input, if there is one. */
static const char* word(void) {
  static char line[100];
  struct pollfd input = {.fd = 0, .events = POLLIN};
  if (poll(&input, 1, 0) != 1) return "";
  if (!fgets(line, sizeof line, stdin)) return "close";
  line[strcspn(line, "\n")] = 0;
  return line;
}

static void serve(const char* broker, const char* topic, const char* group) {
  rd_kafka_conf_t* conf = settings(broker);
  set(conf, "group.id", group);
  set(conf, "enable.auto.commit", "false");
  set(conf, "auto.offset.reset", "earliest");
  set(conf, "session.timeout.ms", "10000");
  set(conf, "heartbeat.interval.ms", "500");
  rd_kafka_conf_set_rebalance_cb(conf, rebalance);
  rd_kafka_t* consumer = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  must(rd_kafka_subscribe(consumer, topics), "subscribe");
  for (const char* said = ""; strcmp(said, "close"); said = word()) {
    if (!strcmp(said, "commit")) {
      must(rd_kafka_commit(consumer, NULL, 0), "commit");
      printf("committed\n");
    }
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 200);
    if (!message) continue;
    if (message->err) printf("error %s\n", rd_kafka_message_errstr(message));
    else printf("value %.*s\n", (int)message->len, (const char*)message->payload);
    rd_kafka_message_destroy(message);
  }
  rd_kafka_topic_partition_list_destroy(topics);
  must(rd_kafka_consumer_close(consumer), "close");
  rd_kafka_destroy(consumer);
  printf("closed\n");
}

int main(int argc, char** argv) {
  if (argc < 5) fail("usage: rdkafka check BROKER TOPIC CODEC... | rdkafka member BROKER TOPIC GROUP");
  setvbuf(stdin, NULL, _IONBF, 0); /* so that poll sees every line */
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (!strcmp(argv[1], "member")) serve(argv[2], argv[3], argv[4]);
  else check(argv[2], argv[3], argv + 4, argc - 4);
}
