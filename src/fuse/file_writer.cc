#include "fuse/file_writer.h"

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/log.h"

namespace topicfs::fuse {

FileWriter::FileWriter(std::shared_ptr<WriterContext> context, std::shared_ptr<Node> node)
    : context_(std::move(context)), node_(std::move(node)) {}

FileWriter::~FileWriter() { context_->unfinished_bytes -= framer_.held_bytes(); }

void FileWriter::write(const WriteRequest& request, Interrupt interrupt, Reply<size_t> reply) {
  MutexLock lock(mutex_);
  if (append_.active) {
    queue_.push_back([self = shared_from_this(), request = WriteRequest(request), interrupt,
                      reply = std::move(reply),
                      copy = Bytes(request.bytes.begin(), request.bytes.end())]() mutable {
      request.bytes = copy;
      request.memory = nullptr;
      self->write(request, interrupt, std::move(reply));
    });
    return;
  }
  if (!request.append && !at_the_end(request.offset)) {
    lock.unlock();
    return reply(refuse(EPERM));
  }
  const bool crowded = context_->unfinished_bytes.load(std::memory_order_relaxed) > kMaxUnfinishedTotalBytes;
  const FramingPlan plan = framer_.plan(
      request.bytes, crowded || request.ack == Ack::durable ? Unfinished::release : Unfinished::hold);
  if (plan.appends())
    return start(lock, plan, request.bytes, {request.ack, request.wait}, interrupt, std::move(reply));
  accept(plan, request.memory);
  lock.unlock();
  reply(request.bytes.size());
}

void FileWriter::flush(Interrupt interrupt, Reply<size_t> reply) {
  MutexLock lock(mutex_);
  if (append_.active) {
    queue_.push_back([self = shared_from_this(), interrupt, reply = std::move(reply)]() mutable {
      self->flush(interrupt, std::move(reply));
    });
    return;
  }
  if (!framer_.pending().empty()) return start_release(lock, interrupt, std::move(reply));
  lock.unlock();
  reply(size_t{0});
}

void FileWriter::sync(Interrupt interrupt, Reply<size_t> reply) {
  flush(interrupt, [self = shared_from_this(), reply = std::move(reply)](Answer<size_t> flushed) mutable {
    if (!flushed) return reply(flushed);
    self->context_->engine.sync(self->node_->id, [reply = std::move(reply)](Result<void> synced) mutable {
      if (synced)
        reply(size_t{0});
      else
        reply(refuse(synced.error()));
    });
  });
}

void FileWriter::release() {
  {
    MutexLock lock(mutex_);
    released_ = true;
    if (timer_) context_->executor.cancel(std::exchange(timer_, 0));
  }
  flush({}, [self = shared_from_this()](Answer<size_t> flushed) {
    if (!flushed)
      LOG_WARNING("partition id {}: {} bytes of an unfinished line are lost with the file that is closed: {}",
                  self->node_->id.v, self->unfinished_size(), ::strerror(flushed.error().value));
  });
}

size_t FileWriter::unfinished_size() {
  MutexLock lock(mutex_);
  return framer_.pending().size();
}

void FileWriter::start(MutexLock& lock, const FramingPlan& plan, ByteSpan bytes, AppendOptions options,
                       Interrupt interrupt, Reply<size_t> reply) {
  append_.active = append_.submitting = true;
  append_.done = false;
  append_.size = bytes.size();
  append_.reply = std::move(reply);
  lock.unlock();  // the framer stays as it is while an append is active

  RequestId id;
  {
    OwnAppend own(node_->id);
    id = context_->engine.append_text(
        node_->id, plan.pieces(), plan.last(), options,
        [self = shared_from_this()](Result<Appended> result) { self->on_appended(std::move(result)); });
  }
  lock.lock();
  append_.submitting = false;
  if (append_.done) {
    if (append_.result) accept(plan);
    return finish(lock, std::move(append_.result));
  }
  const size_t taken = plan.size() - framer_.pending().size();
  append_.rest.assign(bytes.begin() + static_cast<ptrdiff_t>(taken), bytes.end());
  if (id) interrupt(Waiting::append, id);
  lock.unlock();
}

void FileWriter::start_release(MutexLock& lock, Interrupt interrupt, Reply<size_t> reply) {
  start(lock, framer_.plan({}, Unfinished::release), {}, {Ack::buffered, Wait::yes}, interrupt, std::move(reply));
}

void FileWriter::on_appended(Result<Appended> result) {
  MutexLock lock(mutex_);
  MUST(append_.active && !append_.done);
  if (append_.submitting) {
    append_.result = std::move(result);
    append_.done = true;
    return;
  }
  const Bytes rest = std::exchange(append_.rest, {});
  if (result) accept_later(rest);
  finish(lock, std::move(result));
}

void FileWriter::finish(MutexLock& lock, Result<Appended> result) {
  if (result) {
    node_->note_own_append(result->text_end);
  } else if (!framer_.pending().empty()) {
    unfinished_since_ = context_->clock.now();  // it is still there: try again in a while
    set_timer();
  }
  append_.active = false;
  Reply<size_t> reply = std::move(append_.reply);
  const size_t size = append_.size;
  // Once it has its answer, the kernel may release the file: nothing of this is touched then,
  // unless what queues keeps it.
  const auto self = queue_.empty() ? nullptr : shared_from_this();
  lock.unlock();
  if (result)
    reply(size);
  else
    reply(refuse(result.error()));
  if (self) self->run_queue();
}

void FileWriter::run_queue() {
  for (;;) {
    Task next;
    {
      MutexLock lock(mutex_);
      if (append_.active || queue_.empty()) return;
      next = std::move(queue_.front());
      queue_.pop_front();
    }
    next();
  }
}

void FileWriter::accept(const FramingPlan& plan, std::shared_ptr<std::byte>* memory) {
  const size_t before = framer_.held_bytes();
  if (plan.appends()) unfinished_since_ = MonotonicTime{0};
  framer_.accept(plan, memory);
  note_unfinished(before);
}

void FileWriter::accept_later(ByteSpan rest) {
  const size_t before = framer_.held_bytes();
  unfinished_since_ = MonotonicTime{0};
  framer_.clear();
  framer_.accept(framer_.plan(rest));
  note_unfinished(before);
}

void FileWriter::note_unfinished(size_t before) {
  const size_t now = framer_.held_bytes();
  if (now != before) context_->unfinished_bytes += now - before;  // modulo 2^64 where it shrinks
  if (now != 0) set_timer();
}

void FileWriter::set_timer() {
  if (unfinished_since_ == MonotonicTime{0}) unfinished_since_ = context_->clock.now();
  if (timer_ || released_) return;  // on_timer sets the next one for what is then unfinished
  timer_ = context_->executor.at(unfinished_since_ + context_->unfinished_timeout, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->on_timer();
  });
}

void FileWriter::on_timer() {
  MutexLock lock(mutex_);
  timer_ = 0;
  if (framer_.pending().empty() || released_) return;
  if (append_.active) return;  // what that leaves unfinished sets the timer
  if (unfinished_since_ + context_->unfinished_timeout > context_->clock.now()) return set_timer();
  start_release(lock, {}, [](Answer<size_t>) {});
}

bool FileWriter::at_the_end(int64_t offset) {
  const auto ends = context_->engine.ends(node_->id);
  return ends && offset == ends->text_end.v + static_cast<int64_t>(framer_.pending().size());
}

}  // namespace topicfs::fuse
