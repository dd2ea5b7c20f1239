// The table. A new setting is one row here, a field in base/options.h, and a paragraph in the manual
// page of each program that reads it (a test holds the pages to this).

#include <array>

#include "base/settings.h"

namespace topicfs {
namespace {

constexpr int64_t kKiB = 1 << 10, kMiB = kKiB << 10, kGiB = kMiB << 10, kTiB = kGiB << 10;
constexpr int64_t kMillisecond = 1'000, kSecond = 1'000 * kMillisecond, kHour = 3'600 * kSecond;
constexpr unsigned kDaemon = static_cast<unsigned>(Program::daemon);
constexpr unsigned kBoth = kDaemon | static_cast<unsigned>(Program::gateway);

using enum SettingType;

constexpr auto kSettings = std::to_array<Setting>({
    {"data-dir", path, "", "", 0, 0, kBoth, "General",
     "Directory of the log and the gateway's socket. Default: /var/lib/topicfs for root, "
     "$XDG_STATE_HOME/topicfs or ~/.local/state/topicfs for others."},
    {"store", store_url, "", "", 0, 0, kDaemon, "General",
     "Where sealed data goes: file:DIR, or s3://BUCKET/PREFIX. Default: file:DATA_DIR/store."},
    {"foreground", boolean, "no", "", 0, 0, kDaemon, "General",
     "Stay in the foreground and log to standard error."},
    {"config", path, "", "", 0, 0, kBoth, "General",
     "Read settings from this file instead of /etc/topicfs.conf; it must exist."},
    {"log-level", choice, "info", "debug|info|warning|error", 0, 0, kBoth, "General",
     "The least important lines that are logged."},
    {"default-partitions", integer, "1", "", 1, 100'000, kBoth, "General",
     "Partitions of a topic that mkdir or a Kafka client creates without saying how many."},
    {"max-batch-text", bytes, "64MiB", "", kMiB, 256 * kMiB, kDaemon, "General",
     "Longest text that one Kafka batch may decompress to; longer ones are refused."},
    {"shutdown-timeout", duration, "30s", "", 0, kHour, kDaemon, "General",
     "How long a clean stop may take to offload the rest; what is left stays in the log."},

    {"wal-segment-size", bytes, "64MiB", "", kMiB, 2 * kGiB, kDaemon, "Log",
     "Size of one segment file of the log, a power of two."},
    {"wal-sync-interval", duration, "2ms", "", 0, kSecond, kDaemon, "Log",
     "Longest wait of an append for others that share its sync. A lone appender never waits."},
    {"wal-max-size", bytes, "4GiB", "", 4 * kMiB, 64 * kTiB, kDaemon, "Log",
     "Most disk space that the log takes. When it is full and the store does not take data, writers wait."},
    {"append-timeout", duration, "5s", "", kMillisecond, kHour, kDaemon, "Log",
     "Longest wait of a writer for room; then it gets ENOSPC, a Kafka client an error that it can retry."},

    {"pool-size", bytes, "512MiB", "", 16 * kMiB, 16 * kTiB, kDaemon, "Memory",
     "Memory of the log's tail, reserved at the start."},
    {"footer-cache-size", bytes, "64MiB", "", kMiB, kTiB, kDaemon, "Memory",
     "Memory of the indexes of objects in the store."},
    {"block-cache-size", bytes, "64MiB", "", kMiB, kTiB, kDaemon, "Memory",
     "Memory of data that was read back from the store."},

    {"offload-interval", duration, "60s", "", kMillisecond, 24 * kHour, kDaemon, "Object store",
     "Age at which data moves to the store even if it fills no object."},
    {"object-size", bytes, "64MiB", "", 64 * kKiB, kGiB, kDaemon, "Object store",
     "Payload at which data moves to the store, about the size of an object."},
    {"s3-endpoint", text, "", "", 0, 0, kDaemon, "Object store",
     "Address of the S3 server, such as http://127.0.0.1:9000. Default: Amazon's for the region."},
    {"s3-region", text, "", "", 0, 0, kDaemon, "Object store",
     "Region that requests are signed for. Default: AWS_REGION, AWS_DEFAULT_REGION, us-east-1."},
    {"s3-path-style", choice, "auto", "auto|yes|no", 0, 0, kDaemon, "Object store",
     "Whether the bucket stands in the path, not in the host name; auto: with --s3-endpoint only."},

    {"allow-other", choice, "auto", "auto|yes|no", 0, 0, kDaemon, "Mount",
     "Whether other users than the one who mounts may use it; permissions are always checked. "
     "auto: if root mounts, or /etc/fuse.conf has user_allow_other."},
    {"deleted", choice, "skip", "skip|hole", 0, 0, kDaemon, "Mount",
     "What a partition shows where retention has deleted: nothing, so that readers start at the first line "
     "that is left, or a hole of zero bytes, for backup tools."},
    {"busy-poll", duration, "50us", "", 0, kMillisecond, kDaemon, "Mount",
     "How long a thread looks for a program's next request before it sleeps, while they come right after one another. "
     "0: it sleeps at once."},

    {"producer-id-expiration", duration, "24h", "", kSecond, 30 * 24 * kHour, kDaemon, "Kafka",
     "How long the last batches of an idempotent producer that appends nothing are remembered."},
    {"kafka", address, "", "", 0, 0, kBoth, "Kafka",
     "Listen for Kafka clients on HOST:PORT; the daemon starts and supervises topicfs-kafka for it."},
    {"advertised-listener", address, "", "", 0, 0, kBoth, "Kafka",
     "HOST:PORT that clients are told to connect to. Default: the address that they have connected to."},
    {"auto-create-topics", boolean, "yes", "", 0, 0, kBoth, "Kafka",
     "Create topics that clients name and that do not exist."},
    {"max-connections", integer, "1000", "", 1, 100'000, kBoth, "Kafka",
     "Most Kafka connections at a time; further ones are closed at once."},
    {"max-fetch-sessions", integer, "1000", "", 0, 10'000, kBoth, "Kafka",
     "Most fetch sessions at a time, in which consumers name their partitions only once; further ones do without."},
    {"max-request-size", bytes, "100MiB", "", 64 * kKiB, 2 * kGiB - 1, kBoth, "Kafka",
     "Longest Kafka request; a connection that announces a longer one is closed."},
    {"group-initial-rebalance-delay", duration, "3s", "", 0, kHour, kBoth, "Kafka",
     "How long the first members of a consumer group wait for others before they share its partitions."},
    {"group-min-session-timeout", duration, "6s", "", kMillisecond, 24 * kHour, kBoth, "Kafka",
     "Shortest session that a member of a consumer group may ask for."},
    {"group-max-session-timeout", duration, "30m", "", kMillisecond, 24 * kHour, kBoth, "Kafka",
     "Longest session that a member of a consumer group may ask for."},
    {"group-max-size", integer, "10000", "", 1, 100'000, kBoth, "Kafka",
     "Most members of a consumer group; further ones are refused."},
    {"offsets-retention", duration, "7d", "", kSecond, 3'650 * 24 * kHour, kBoth, "Kafka",
     "How long the offsets of a consumer group without members are kept."},
});

}  // namespace

std::span<const Setting> all_settings() { return kSettings; }

}  // namespace topicfs
