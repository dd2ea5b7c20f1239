// interop LIBRARY check BROKER TOPIC CODEC...: makes a topic, reads its settings, produces values with each codec,
// reads them back, makes another topic and removes it.
//
// interop LIBRARY member BROKER TOPIC GROUP: a member of a consumer group, which says and understands what
// group_client.py does.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	valuesPerCodec = 500
	retention      = "86400000"
	limit          = 40 * time.Second
)

// client is what a library can do. What goes wrong ends the program.
type client interface {
	createTopic(ctx context.Context, topic string, partitions int, settings map[string]string)
	setting(ctx context.Context, topic, name string) string
	deleteTopic(ctx context.Context, topic string)
	topics(ctx context.Context) []string
	// produce appends the records to partition 0.
	produce(ctx context.Context, topic, codec string, records []record)
	// consume reads so many records from the beginning of partition 0.
	consume(ctx context.Context, topic string, count int) []record
	// join returns a member of the group, which says what it is assigned and what it reads.
	join(topic, group string) member
}

type member interface {
	commit()
	leave()
}

type record struct{ key, value string }

var libraries = map[string]func(broker string) client{
	"franz-go": newFranz,
	"sarama":   newSarama,
	"kafka-go": newSegmentio,
}

func must(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

func check(c client, topic string, codecs []string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c.createTopic(ctx, topic, 2, map[string]string{"retention.ms": retention})
	if got := c.setting(ctx, topic, "retention.ms"); got != retention {
		log.Fatalf("retention.ms is %q", got)
	}
	var all []record
	for _, codec := range codecs {
		var records []record
		for i := range valuesPerCodec {
			records = append(records, record{fmt.Sprint(i), fmt.Sprintf("a value that compresses well, in %s: %d", codec, i)})
		}
		c.produce(ctx, topic, codec, records)
		all = append(all, records...)
	}
	if got := c.consume(ctx, topic, len(all)); !slices.Equal(got, all) {
		log.Fatalf("consumed %d records that are not those that were produced", len(got))
	}
	gone := topic + "-gone"
	c.createTopic(ctx, gone, 1, nil)
	if got := c.topics(ctx); !slices.Contains(got, gone) || !slices.Contains(got, topic) {
		log.Fatalf("topics are %v", got)
	}
	c.deleteTopic(ctx, gone)
	if got := c.topics(ctx); slices.Contains(got, gone) || !slices.Contains(got, topic) {
		log.Fatalf("after a topic was deleted, topics are %v", got)
	}
}

var saying sync.Mutex

func say(what ...any) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Println(what...)
}

func sayAssigned(partitions []int) {
	slices.Sort(partitions)
	say("assigned", strings.Trim(fmt.Sprint(partitions), "[]"))
}

func serve(m member) {
	for words := bufio.NewScanner(os.Stdin); words.Scan() && words.Text() != "close"; {
		if words.Text() == "commit" {
			m.commit()
			say("committed")
		}
	}
	m.leave()
	say("closed")
}

func main() {
	log.SetFlags(log.Lshortfile)
	args := os.Args[1:]
	if len(args) < 5 || libraries[args[0]] == nil {
		log.Fatal("usage: interop LIBRARY check BROKER TOPIC CODEC... | interop LIBRARY member BROKER TOPIC GROUP")
	}
	c, topic := libraries[args[0]](args[2]), args[3]
	switch args[1] {
	case "check":
		check(c, topic, args[4:])
	case "member":
		serve(c.join(topic, args[4]))
	default:
		log.Fatalf("%q is neither check nor member", args[1])
	}
}
