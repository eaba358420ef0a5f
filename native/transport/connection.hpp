// One framed stream: reads into the hub's slab, writes what the owner queued, keeps its deadlines, and closes
// in a way that lets what was written arrive. Knows no Node-API.
//
// A connection that was accepted begins `bare`: a descriptor without a libuv handle. One that is answered and
// closed within its first turn never becomes more than that; every other is adopted when the turn ends.
#pragma once

#include "../core/reassembly.hpp"
#include "../core/sniff.hpp"
#include "config.hpp"
#include "hub.hpp"
#include "platform.hpp"
#include "write_queue.hpp"
#include <memory>

namespace framewire {

class Listener;

enum class FaultCode : uint8_t {
  none,
  too_large,
  invalid_length,
  truncated,
  first_byte_timeout,
  header_timeout,
  body_timeout,
  idle_timeout,
  write_timeout,
  memory_budget,
  out_of_memory,
  payload_detached,
  lost,           // `system` says why
  connect_failed, // `system` says why
  write_failed,   // lost, and it was a write that found it out
};

struct Fault {
  FaultCode code = FaultCode::none;
  Hint hint = Hint::none;
  bool fatal = false; // the connection closes by itself
  bool declared_known = false;
  int system = 0; // a libuv error code
  uint64_t declared = 0;
  uint64_t received = 0;
  uint64_t suspected = 0; // Hint::other_endian: the payload length read so
};

// What is read next has to be there by then, or the peer to be gone.
struct ReadDeadline : Deadline {};

// One in every idle connection: small before all.
class Connection final : public Pending, private ReadDeadline {
public:
  // Takes a place among the hub's slots; nullptr: none is left, or no memory.
  static Connection *create(Hub &hub, ChannelConfig &config, bool is_tcp) noexcept;

  // Takes the descriptor over. Reading begins at once unless `hold` (then with `resume`).
  void start_accepted(uv_os_sock_t fd, bool hold) noexcept;
  // A libuv error code, or 0: `state_opened` or a fault follows.
  int connect_tcp(const sockaddr *address) noexcept;
  int connect_path(const char *path, size_t length) noexcept;

  uint32_t slot() const noexcept { return slot_; }
  Listener *listener() const noexcept { return closed_ ? nullptr : config_.listener; }
  bool writable() const noexcept { return open_ && !ending_ && !closing_; }
  // nullptr: none.
  const Fault *fault() const noexcept { return fault_; }
  // False: there is none, or its memory is gone, which is a fault.
  bool take_large(Block &out) noexcept;
  bool peer(platform::PeerCredentials &out) const noexcept;
  // False where there is none.
  bool remote_address(sockaddr_storage &out) const noexcept;

  // --- asked for by the owner
  void pause() noexcept;
  void resume() noexcept;
  void request_end() noexcept;
  // `always`: the peer is heard out for that long although it is quiet now.
  void request_close(uint64_t linger, bool always) noexcept;
  void destroy() noexcept;
  void reference(bool on) noexcept;
  // Bytes are taken or copied before it returns.
  void write(const uv_buf_t *bufs, size_t count, size_t total) noexcept;
  // `head` is copied if it has to wait; `payload` is held from its first to its last byte of `size`.
  void write_large(uv_buf_t head, std::unique_ptr<HeldPayload> payload, size_t size) noexcept;
  // The owner keeps more of what this brought than the budget has.
  void over_budget() noexcept { fail(FaultCode::memory_budget, false); }
  // The owner moved the mark: tell at once when it has been reached already.
  void check_mark() noexcept;

  // --- asked for by the hub
  void settle() noexcept;
  // Whose deadline it is.
  static Connection &waiting(Deadline &deadline, DeadlineKind kind) noexcept;
  void on_deadline(DeadlineKind kind) noexcept;
  bool released() const noexcept { return closed_; }
  // Everything that is not its own: frames nobody will fetch, payloads held, partial frames.
  void drop_memory() noexcept;
  static void destroy_closed(Connection *connection) noexcept;
  // In the hub's list of bare connections, which have no use for their handle.
  Connection *next_bare() const noexcept { return static_cast<Connection *>(poll_.data); }
  void set_next_bare(Connection *next) noexcept { poll_.data = next; }
  // Segments of this connection during `Hub::flush`.
  uint32_t segment_head = UINT32_MAX, segment_tail = UINT32_MAX;

private:
  Connection(ChannelConfig &config, bool is_tcp) noexcept;
  ~Connection();
  struct LargeFrame {
    Block block;
    LargeFrame *next;
  };
  // What most connections never have.
  struct Backlog : Deadline {
    explicit Backlog(Connection &sender) noexcept : connection(sender) {}
    Connection &connection;
    WriteQueue queue;
  };

  static void on_poll(uv_poll_t *poll, int status, int events);
  static void on_closed(uv_handle_t *handle);

  Hub &hub() const noexcept { return *config_.hub; }
  Deadline &read_deadline() noexcept { return *this; }
  Reassembly::Limits limits() const noexcept;
  FaultCode plan_read(uv_buf_t &buf) noexcept;
  void landed(size_t n) noexcept;
  void landed_slab(size_t n) noexcept;
  bool keep_large(Block &block, size_t start, size_t end) noexcept;
  bool reads() const noexcept;
  bool discards() const noexcept; // the owner wants what arrives
  bool read_once() noexcept;      // false: nothing is left for now
  void read_ready() noexcept;
  void discard() noexcept;
  void read_ended(int64_t status) noexcept;
  bool adopt() noexcept;
  void watch() noexcept; // asks the loop for exactly what is waited for
  void finish_connect() noexcept;

  bool account() noexcept; // false: over the budget, and nothing is booked
  void update_read_deadline(bool whole) noexcept;
  uint64_t waited() const noexcept; // since the first deadline was armed, in milliseconds
  void update_write_deadline() noexcept;
  void disarm_all() noexcept;

  void fail(FaultCode code, bool fatal, int system = 0) noexcept;
  void fail_with(FaultCode code, const Outcome &outcome) noexcept;
  void arm_first() noexcept; // arms what runs from the first moment on
  bool prepare_queue() noexcept;
  bool has_queued() const noexcept { return backlog_ != nullptr && !backlog_->queue.empty(); }
  void pump() noexcept;
  void wait_writable() noexcept;
  void progress(size_t bytes) noexcept;
  void after_write() noexcept;
  void finish_end() noexcept;
  void finish_close(bool has_read) noexcept;
  void linger(uint32_t ms) noexcept;
  bool has_input() noexcept;
  void close_now() noexcept;
  void closed() noexcept;

  ChannelConfig &config_;
  uint32_t slot_ = UINT32_MAX;
  uv_os_sock_t fd_ = static_cast<uv_os_sock_t>(-1);
  bool is_tcp_ : 1;
  bool open_ : 1;     // there is a descriptor, connected
  bool adopted_ : 1;  // the loop watches it
  bool settling_ : 1; // waits among the hub's bare connections
  bool connecting_ : 1;
  bool paused_ : 1;     // by the owner
  bool own_target_ : 1; // the read under way goes into the frame's own memory
  bool drained_ : 1;    // the last read took all there was, and all of that was looked at
  bool first_seen_ : 1; // a byte has arrived
  bool framed_ : 1;     // so has a whole frame
  bool streams_ : 1;    // and another one
  bool ended_ : 1;      // the peer's side
  bool ending_ : 1;     // our side, behind the queue
  bool shut_ : 1;       // our side, done
  bool closing_ : 1;    // behind the queue
  bool lingers_ : 1;    // when it closes, in any case
  bool lingering_ : 1;  // waiting for the peer's end, reading into nowhere
  bool closed_ : 1;
  bool behind_large_ : 1; // the last frame was a large one
  bool detached_ : 1;     // the loop need not live for it
  uint8_t watched_ : 2;   // events the loop was asked for
  // While it reads: wire size of the last large frame, 0 before the first. When it closes: how long it
  // lingers, in milliseconds.
  uint32_t last_large_or_linger_ = 0;
  size_t accounted_ = 0;
  Reassembly reassembly_;
  std::unique_ptr<Backlog> backlog_;
  LargeFrame *large_head_ = nullptr;
  Fault *fault_ = nullptr;
  uv_poll_t poll_;
};

} // namespace framewire
