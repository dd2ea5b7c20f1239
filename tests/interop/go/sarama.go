package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// saramas speaks the newest versions that sarama knows.
type saramas struct{ broker string }

func newSarama(broker string) client { return saramas{broker} }

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	return config
}

func (s saramas) admin() sarama.ClusterAdmin {
	admin, err := sarama.NewClusterAdmin([]string{s.broker}, saramaConfig())
	must(err)
	return admin
}

func (s saramas) createTopic(_ context.Context, topic string, partitions int, settings map[string]string) {
	admin := s.admin()
	defer admin.Close()
	pointers := map[string]*string{}
	for name, value := range settings {
		pointers[name] = &value
	}
	must(admin.CreateTopic(topic, &sarama.TopicDetail{
		NumPartitions: int32(partitions), ReplicationFactor: 1, ConfigEntries: pointers}, false))
}

func (s saramas) setting(_ context.Context, topic, name string) string {
	admin := s.admin()
	defer admin.Close()
	resource := &sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name}}
	found, err := admin.DescribeConfigs([]*sarama.ConfigResource{resource}, sarama.DescribeConfigsOptions{})
	must(err)
	for _, resource := range found {
		for _, entry := range resource.Configs {
			if entry.Name == name {
				return entry.Value
			}
		}
	}
	return ""
}

func (s saramas) deleteTopic(_ context.Context, topic string) {
	admin := s.admin()
	defer admin.Close()
	must(admin.DeleteTopic(topic))
}

func (s saramas) topics(context.Context) []string {
	admin := s.admin()
	defer admin.Close()
	found, err := admin.ListTopics()
	must(err)
	return slices.Collect(maps.Keys(found))
}

var saramaCodecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func (s saramas) produce(_ context.Context, topic, codec string, records []record) {
	config := saramaConfig()
	config.Producer.Compression = saramaCodecs[codec]
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer([]string{s.broker}, config)
	must(err)
	defer producer.Close()
	var sent []*sarama.ProducerMessage
	for _, r := range records {
		sent = append(sent, &sarama.ProducerMessage{
			Topic: topic, Key: sarama.StringEncoder(r.key), Value: sarama.StringEncoder(r.value)})
	}
	must(producer.SendMessages(sent))
}

func (s saramas) consume(ctx context.Context, topic string, count int) (got []record) {
	consumer, err := sarama.NewConsumer([]string{s.broker}, saramaConfig())
	must(err)
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	must(err)
	defer partition.Close()
	for len(got) < count {
		select {
		case message := <-partition.Messages():
			got = append(got, record{string(message.Key), string(message.Value)})
		case <-ctx.Done():
			must(ctx.Err())
		}
	}
	return got
}

type saramaMember struct {
	group   sarama.ConsumerGroup
	topic   string
	leaving context.CancelFunc
	left    chan struct{}

	changing sync.Mutex
	session  sarama.ConsumerGroupSession // under changing
}

func (s saramas) join(topic, group string) member {
	config := saramaConfig()
	config.Consumer.Return.Errors = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Session.Timeout = 10 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	config.Consumer.Group.Rebalance.Timeout = 20 * time.Second
	joined, err := sarama.NewConsumerGroup([]string{s.broker}, group, config)
	must(err)
	m := &saramaMember{group: joined, topic: topic, left: make(chan struct{})}
	var ctx context.Context
	ctx, m.leaving = context.WithCancel(context.Background())
	go func() {
		for err := range joined.Errors() {
			say("error", err)
		}
	}()
	go func() {
		defer close(m.left)
		for ctx.Err() == nil { // a session ends with each rebalance
			must(joined.Consume(ctx, []string{topic}, m))
		}
	}()
	return m
}

func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.session = session
	var all []int
	for _, p := range session.Claims()[m.topic] {
		all = append(all, int(p))
	}
	sayAssigned(all)
	return nil
}

func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "")
		say("value", string(message.Value))
	}
	return nil
}

func (m *saramaMember) commit() {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.session.Commit()
}

func (m *saramaMember) leave() {
	m.leaving()
	<-m.left
	must(m.group.Close())
}
