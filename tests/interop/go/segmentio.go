package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// segmentio is segmentio's kafka-go: its Writer, its Reader, with and without a group, and its Client.
type segmentio struct {
	broker string
	client *kafka.Client
}

func newSegmentio(broker string) client {
	return segmentio{broker, &kafka.Client{Addr: kafka.TCP(broker), Timeout: limit}}
}

func (s segmentio) createTopic(ctx context.Context, topic string, partitions int, settings map[string]string) {
	var entries []kafka.ConfigEntry
	for name, value := range settings {
		entries = append(entries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	made, err := s.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: entries}}})
	must(err)
	must(made.Errors[topic])
}

func (s segmentio) setting(ctx context.Context, topic, name string) string {
	found, err := s.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{name}}}})
	must(err)
	for _, resource := range found.Resources {
		must(resource.Error)
		for _, entry := range resource.ConfigEntries {
			if entry.ConfigName == name {
				return entry.ConfigValue
			}
		}
	}
	return ""
}

func (s segmentio) deleteTopic(ctx context.Context, topic string) {
	deleted, err := s.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	must(err)
	must(deleted.Errors[topic])
}

// topics asks the broker, not the transport of the client, which keeps what it was told before.
func (s segmentio) topics(ctx context.Context) (names []string) {
	conn, err := kafka.DialContext(ctx, "tcp", s.broker)
	must(err)
	defer conn.Close()
	partitions, err := conn.ReadPartitions()
	must(err)
	for _, p := range partitions {
		names = append(names, p.Topic)
	}
	return names
}

var segmentioCodecs = map[string]kafka.Compression{
	"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

func (s segmentio) produce(ctx context.Context, topic, codec string, records []record) {
	writer := &kafka.Writer{Addr: kafka.TCP(s.broker), Topic: topic, Compression: segmentioCodecs[codec],
		RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond,
		Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return 0 })}
	defer writer.Close()
	var sent []kafka.Message
	for _, r := range records {
		sent = append(sent, kafka.Message{Key: []byte(r.key), Value: []byte(r.value)})
	}
	must(writer.WriteMessages(ctx, sent...))
}

func (s segmentio) consume(ctx context.Context, topic string, count int) (got []record) {
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{s.broker}, Topic: topic, MaxWait: time.Second})
	defer reader.Close()
	for len(got) < count {
		message, err := reader.ReadMessage(ctx)
		must(err)
		got = append(got, record{string(message.Key), string(message.Value)})
	}
	return got
}

type segmentioMember struct {
	reader *kafka.Reader

	reading sync.Mutex
	last    map[int]kafka.Message // of each partition, under reading
}

var partitionWord = regexp.MustCompile(`partition:(\d+)`)

// sayLogged finds the partitions in what the Reader logs: it tells its user in no other way.
func sayLogged(format string, args ...any) {
	if !strings.HasPrefix(format, "subscribed to topics and partitions") {
		return
	}
	var all []int
	for _, found := range partitionWord.FindAllStringSubmatch(fmt.Sprintf(format, args...), -1) {
		p, err := strconv.Atoi(found[1])
		must(err)
		all = append(all, p)
	}
	sayAssigned(all)
}

func (s segmentio) join(topic, group string) member {
	m := &segmentioMember{last: map[int]kafka.Message{}}
	m.reader = kafka.NewReader(kafka.ReaderConfig{Brokers: []string{s.broker}, GroupID: group, Topic: topic,
		StartOffset: kafka.FirstOffset, MaxWait: 500 * time.Millisecond, HeartbeatInterval: 500 * time.Millisecond,
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 20 * time.Second, Logger: kafka.LoggerFunc(sayLogged)})
	go func() {
		for {
			message, err := m.reader.FetchMessage(context.Background())
			if errors.Is(err, io.EOF) { // the reader is closed
				return
			}
			must(err)
			m.reading.Lock()
			m.last[message.Partition] = message
			m.reading.Unlock()
			say("value", string(message.Value))
		}
	}()
	return m
}

func (m *segmentioMember) commit() {
	m.reading.Lock()
	defer m.reading.Unlock()
	for _, message := range m.last {
		must(m.reader.CommitMessages(context.Background(), message))
	}
}

func (m *segmentioMember) leave() { must(m.reader.Close()) }
