package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franz is franz-go as it comes: an idempotent producer, and cooperative members of groups.
type franz struct{ broker string }

func newFranz(broker string) client { return franz{broker} }

func (f franz) open(options ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(f.broker))...)
	must(err)
	return c
}

func (f franz) admin() *kadm.Client { return kadm.NewClient(f.open()) }

func (f franz) createTopic(ctx context.Context, topic string, partitions int, settings map[string]string) {
	admin := f.admin()
	defer admin.Close()
	pointers := map[string]*string{}
	for name, value := range settings {
		pointers[name] = &value
	}
	made, err := admin.CreateTopic(ctx, int32(partitions), 1, pointers, topic)
	must(err)
	must(made.Err)
}

func (f franz) setting(ctx context.Context, topic, name string) string {
	admin := f.admin()
	defer admin.Close()
	found, err := admin.DescribeTopicConfigs(ctx, topic)
	must(err)
	resource, err := found.On(topic, nil)
	must(err)
	must(resource.Err)
	for _, config := range resource.Configs {
		if config.Key == name {
			return config.MaybeValue()
		}
	}
	return ""
}

func (f franz) deleteTopic(ctx context.Context, topic string) {
	admin := f.admin()
	defer admin.Close()
	deleted, err := admin.DeleteTopic(ctx, topic)
	must(err)
	must(deleted.Err)
}

func (f franz) topics(ctx context.Context) []string {
	admin := f.admin()
	defer admin.Close()
	found, err := admin.ListTopics(ctx)
	must(err)
	must(found.Error())
	return found.Names()
}

var franzCodecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func (f franz) produce(ctx context.Context, topic, codec string, records []record) {
	c := f.open(kgo.ProducerBatchCompression(franzCodecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer c.Close()
	var sent []*kgo.Record
	for _, r := range records {
		sent = append(sent, &kgo.Record{Topic: topic, Key: []byte(r.key), Value: []byte(r.value)})
	}
	must(c.ProduceSync(ctx, sent...).FirstErr())
}

func (f franz) consume(ctx context.Context, topic string, count int) (got []record) {
	start := map[int32]kgo.Offset{0: kgo.NewOffset().AtStart()}
	c := f.open(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}))
	defer c.Close()
	for len(got) < count {
		fetches := c.PollFetches(ctx)
		must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, record{string(r.Key), string(r.Value)}) })
	}
	return got
}

type franzMember struct {
	client  *kgo.Client
	leaving context.CancelFunc

	changing sync.Mutex
	assigned map[int32]bool // under changing
}

func (f franz) join(topic, group string) member {
	m := &franzMember{assigned: map[int32]bool{}}
	became := func(has bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			m.change(partitions[topic], has)
		}
	}
	m.client = f.open(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(10*time.Second),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.RebalanceTimeout(20*time.Second),
		kgo.OnPartitionsAssigned(became(true)), kgo.OnPartitionsRevoked(became(false)), kgo.OnPartitionsLost(became(false)))
	var ctx context.Context
	ctx, m.leaving = context.WithCancel(context.Background())
	go func() {
		for ctx.Err() == nil {
			fetches := m.client.PollFetches(ctx)
			fetches.EachError(func(_ string, _ int32, err error) { say("error", err) })
			fetches.EachRecord(func(r *kgo.Record) { say("value", string(r.Value)) })
		}
	}()
	return m
}

func (m *franzMember) change(partitions []int32, has bool) {
	m.changing.Lock()
	defer m.changing.Unlock()
	for _, p := range partitions {
		if has {
			m.assigned[p] = true
		} else {
			delete(m.assigned, p)
		}
	}
	var all []int
	for _, p := range slices.Collect(maps.Keys(m.assigned)) {
		all = append(all, int(p))
	}
	sayAssigned(all)
}

func (m *franzMember) commit() { must(m.client.CommitUncommittedOffsets(context.Background())) }

func (m *franzMember) leave() {
	m.leaving()
	m.client.Close()
}
