// rdkafkacpp check|member BROKER TOPIC ...: what interop/go/main.go says, with librdkafka's C++ API, which has no
// administrator: the first record makes the topic. An idempotent producer, cooperative members of groups.
#include <librdkafka/rdkafkacpp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int kValuesPerCodec = 500;
constexpr int kCallMs = 20000;

[[noreturn]] void fail(const std::string& why) {
  std::cerr << why << std::endl;
  std::exit(1);
}

void must(RdKafka::ErrorCode error, const std::string& what) {
  if (error != RdKafka::ERR_NO_ERROR) fail(what + ": " + RdKafka::err2str(error));
}

using Settings = std::vector<std::pair<std::string, std::string>>;

std::unique_ptr<RdKafka::Conf> configuration(const Settings& settings) {
  std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  std::string why;
  for (const auto& [name, value] : settings)
    if (conf->set(name, value, why) != RdKafka::Conf::CONF_OK) fail(why);
  return conf;
}

std::string value_of(const std::string& codec, int i) {
  return "a value that compresses well, in " + codec + ": " + std::to_string(i);
}

struct Deliveries : RdKafka::DeliveryReportCb {
  int failed = 0;
  void dr_cb(RdKafka::Message& message) override { failed += message.err() != RdKafka::ERR_NO_ERROR; }
};

void produce(const std::string& broker, const std::string& topic, const std::string& codec) {
  auto conf = configuration({{"bootstrap.servers", broker}, {"enable.idempotence", "true"}, {"compression.type", codec},
                             {"linger.ms", "20"}});
  Deliveries deliveries;
  std::string why;
  if (conf->set("dr_cb", &deliveries, why) != RdKafka::Conf::CONF_OK) fail(why);
  std::unique_ptr<RdKafka::Producer> producer(RdKafka::Producer::create(conf.get(), why));
  if (!producer) fail(why);
  for (int i = 0; i < kValuesPerCodec; ++i) {
    std::string key = std::to_string(i), value = value_of(codec, i);
    must(producer->produce(topic, 0, RdKafka::Producer::RK_MSG_COPY, value.data(), value.size(), key.data(), key.size(), 0,
                           nullptr), "produce");
  }
  must(producer->flush(kCallMs), "flush");
  if (deliveries.failed > 0) fail(std::to_string(deliveries.failed) + " values were not delivered");
}

void check(const std::string& broker, const std::string& topic, const std::vector<std::string>& codecs) {
  for (const auto& codec : codecs) produce(broker, topic, codec);
  auto conf = configuration({{"bootstrap.servers", broker}, {"group.id", "none"}, {"enable.auto.commit", "false"}});
  std::string why;
  std::unique_ptr<RdKafka::KafkaConsumer> consumer(RdKafka::KafkaConsumer::create(conf.get(), why));
  if (!consumer) fail(why);
  std::unique_ptr<RdKafka::TopicPartition> partition(RdKafka::TopicPartition::create(topic, 0, 0));
  must(consumer->assign({partition.get()}), "assign");
  for (size_t i = 0; i < codecs.size() * kValuesPerCodec; ++i) {
    std::unique_ptr<RdKafka::Message> message(consumer->consume(kCallMs));
    must(message->err(), "record " + std::to_string(i));
    const int number = static_cast<int>(i % kValuesPerCodec);
    const std::string value(static_cast<const char*>(message->payload()), message->len());
    if (value != value_of(codecs[i / kValuesPerCodec], number) || *message->key() != std::to_string(number))
      fail("record " + std::to_string(i) + " is \"" + value + '"');
  }
  consumer->close();
}

struct Share : RdKafka::RebalanceCb {
  std::vector<int> partitions;

  void rebalance_cb(RdKafka::KafkaConsumer* consumer, RdKafka::ErrorCode error,
                    std::vector<RdKafka::TopicPartition*>& changed) override {
    const bool more = error == RdKafka::ERR__ASSIGN_PARTITIONS;
    std::unique_ptr<RdKafka::Error> failed(more ? consumer->incremental_assign(changed)
                                                : consumer->incremental_unassign(changed));
    if (failed) fail(failed->str());
    for (const auto* partition : changed) {
      if (more) partitions.push_back(partition->partition());
      else std::erase(partitions, partition->partition());
    }
    std::sort(partitions.begin(), partitions.end());
    std::ostringstream line;
    for (int p : partitions) line << ' ' << p;
    std::cout << "assigned" << line.str() << std::endl;
  }
};

// A word from the standard input, if there is one.
std::string word() {
  pollfd input{0, POLLIN, 0};
  std::string line;
  for (char c; poll(&input, 1, line.empty() ? 0 : -1) == 1;) {
    if (read(0, &c, 1) != 1) return "close";
    if (c == '\n') return line;
    line += c;
  }
  return line;
}

void serve(const std::string& broker, const std::string& topic, const std::string& group) {
  auto conf = configuration({{"bootstrap.servers", broker}, {"group.id", group}, {"enable.auto.commit", "false"},
                             {"auto.offset.reset", "earliest"}, {"session.timeout.ms", "10000"},
                             {"heartbeat.interval.ms", "500"}, {"partition.assignment.strategy", "cooperative-sticky"}});
  Share share;
  std::string why;
  if (conf->set("rebalance_cb", &share, why) != RdKafka::Conf::CONF_OK) fail(why);
  std::unique_ptr<RdKafka::KafkaConsumer> consumer(RdKafka::KafkaConsumer::create(conf.get(), why));
  if (!consumer) fail(why);
  must(consumer->subscribe({topic}), "subscribe");
  for (std::string said; said != "close"; said = word()) {
    if (said == "commit") {
      must(consumer->commitSync(), "commit");
      std::cout << "committed" << std::endl;
    }
    std::unique_ptr<RdKafka::Message> message(consumer->consume(200));
    if (message->err() == RdKafka::ERR__TIMED_OUT) continue;
    if (message->err() != RdKafka::ERR_NO_ERROR) std::cout << "error " << message->errstr() << std::endl;
    else std::cout << "value " << std::string(static_cast<const char*>(message->payload()), message->len()) << std::endl;
  }
  must(consumer->close(), "close");
  std::cout << "closed" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 4) fail("usage: rdkafkacpp check BROKER TOPIC CODEC... | rdkafkacpp member BROKER TOPIC GROUP");
  if (args[0] == "member") serve(args[1], args[2], args[3]);
  else check(args[1], args[2], {args.begin() + 3, args.end()});
}
