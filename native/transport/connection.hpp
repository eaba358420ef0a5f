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

class Connection final : public Pending {
public:
  // Takes a place among the hub's slots; nullptr: none is left, or no memory.
  static Connection *create(Hub &hub, ChannelConfig &config, Listener *listener, bool is_tcp) noexcept;

  // Takes the descriptor over. Reading begins at once unless `hold` (then with `resume`).
  void start_accepted(uv_os_sock_t fd, bool hold) noexcept;
  // A stream libuv accepted or connected into `stream()`; for systems without descriptors.
  int init_stream() noexcept;
  uv_stream_t *stream() noexcept { return &handle_.stream; }
  void start_stream(bool hold) noexcept;
  // A libuv error code, or 0: `state_opened` or a fault follows.
  int connect_tcp(const sockaddr *address) noexcept;
  int connect_path(const char *path, size_t length) noexcept;

  uint32_t slot() const noexcept { return slot_; }
  Listener *listener() const noexcept { return listener_; }
  bool writable() const noexcept { return open_ && !ending_ && !closing_; }
  // nullptr: none.
  const Fault *fault() const noexcept { return fault_; }
  bool take_large(Block &out) noexcept;
  bool peer(platform::PeerCredentials &out) const noexcept;
  // False where there is none.
  bool remote_address(sockaddr_storage &out) const noexcept;

  // --- asked for by the owner
  void pause() noexcept;
  void resume() noexcept;
  void request_end() noexcept;
  void request_close(uint64_t linger) noexcept;
  void destroy() noexcept;
  void reference(bool on) noexcept;
  // Bytes are taken or copied before it returns.
  void write(const uv_buf_t *bufs, size_t count, size_t total) noexcept;
  // `head` is copied if it has to wait; `payload` is held from its first to its last byte of `size`.
  void write_large(uv_buf_t head, std::unique_ptr<HeldPayload> payload, size_t size) noexcept;
  // The owner moved the mark: tell at once when it has been reached already.
  void check_mark() noexcept;

  // --- asked for by the hub
  void settle() noexcept;
  void on_deadline(DeadlineKind kind) noexcept;
  bool released() const noexcept { return closed_; }
  // Everything that is not its own: frames nobody will fetch, payloads held, partial frames.
  void drop_memory() noexcept;
  static void destroy_closed(Connection *connection) noexcept;
  Connection *next_bare = nullptr;
  bool settling = false; // in the hub's list of bare connections
  // Segments of this connection during `Hub::flush`.
  uint32_t segment_head = UINT32_MAX, segment_tail = UINT32_MAX;

private:
  Connection(Hub &hub, ChannelConfig &config, Listener *listener, bool is_tcp) noexcept;
  ~Connection();
  struct LargeFrame {
    Block block;
    LargeFrame *next;
  };
  struct Backlog {
    WriteQueue queue;
    uv_write_t request;
    size_t in_flight = 0;
    Deadline deadline;
  };

  static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
  static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
  static void on_written(uv_write_t *request, int status);
  static void on_connected(uv_connect_t *request, int status);
  static void on_closed(uv_handle_t *handle);

  Reassembly::Limits limits() const noexcept;
  FaultCode plan_read(uv_buf_t &buf) noexcept;
  void landed(size_t n) noexcept;
  void landed_slab(size_t n) noexcept;
  bool keep_large(Block &block, size_t start, size_t end) noexcept;
  void read_bare() noexcept;
  void read_ended(int64_t status) noexcept;
  void start_reading() noexcept;
  void stop_reading() noexcept;
  bool adopt() noexcept;

  bool account() noexcept; // false: over the budget, and nothing is booked
  void update_read_deadline(bool progressed) noexcept;
  void update_write_deadline() noexcept;
  void disarm_all() noexcept;

  void fail(FaultCode code, bool fatal, int system = 0) noexcept;
  void fail_with(FaultCode code, const Outcome &outcome) noexcept;
  void arm_first() noexcept; // arms what runs from the first moment on
  bool prepare_queue() noexcept;
  int64_t send_now(const uv_buf_t *bufs, size_t count) noexcept;
  void pump() noexcept;
  void arm_writer() noexcept;
  void progress(size_t bytes) noexcept;
  void after_write() noexcept;
  void finish_end() noexcept;
  void shut_down() noexcept;
  void finish_close() noexcept;
  void close_now() noexcept;
  void closed() noexcept;

  Hub &hub_;
  ChannelConfig &config_;
  Listener *listener_;
  uint32_t slot_ = UINT32_MAX;
  uv_os_sock_t fd_ = static_cast<uv_os_sock_t>(-1);
  bool is_tcp_ : 1;
  bool open_ : 1;    // there is a descriptor, connected
  bool adopted_ : 1; // it is libuv's
  bool connecting_ : 1;
  bool reading_ : 1;    // libuv reads
  bool paused_ : 1;     // by the owner
  bool own_target_ : 1; // the read under way goes into the frame's own memory
  bool first_seen_ : 1; // a byte has arrived
  bool framed_ : 1;     // so has a whole frame
  bool ended_ : 1;      // the peer's side
  bool ending_ : 1;     // our side, behind the queue
  bool shut_ : 1;       // our side, done
  bool closing_ : 1;    // behind the queue
  bool lingering_ : 1;  // waiting for the peer's end, reading into nowhere
  bool closed_ : 1;
  FaultCode planned_ = FaultCode::none; // why no memory was given for the read under way
  uint32_t last_large_ = 0;             // wire size of the last frame if it was a large one, else 0
  uint32_t linger_ms_ = 0;
  size_t accounted_ = 0;
  Reassembly reassembly_;
  std::unique_ptr<Backlog> backlog_;
  LargeFrame *large_head_ = nullptr;
  Deadline read_deadline_;
  Fault *fault_ = nullptr;
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
  } handle_;
};

} // namespace framewire
