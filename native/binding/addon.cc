// What JS can call. Every function checks its arguments again; a slot or number that is gone is not an error
// but nothing to do.
#include "arguments.hpp"
#include "codec.hpp"
#include "session.hpp"
#include <algorithm>

namespace framewire {

namespace {

Session &session(const Napi::CallbackInfo &info) {
  return *info.Env().GetInstanceData<Session>();
}

Connection *connection(const Napi::CallbackInfo &info) {
  Hub *hub = session(info).hub();
  if (hub == nullptr || info.Length() == 0 || !info[0].IsNumber()) return nullptr;
  return hub->connection(info[0].As<Napi::Number>().Uint32Value());
}

Listener *listener(const Napi::CallbackInfo &info) {
  Hub *hub = session(info).hub();
  if (hub == nullptr || info.Length() == 0 || !info[0].IsNumber()) return nullptr;
  return hub->listener(info[0].As<Napi::Number>().Uint32Value());
}

// Without coercion, which a thread that is being terminated refuses.
bool is_true(Napi::Value value) {
  return value.IsBoolean() && value.As<Napi::Boolean>().Value();
}

Napi::Value undefined(const Napi::CallbackInfo &info) {
  return info.Env().Undefined();
}

Napi::Value number(const Napi::CallbackInfo &info, double value) {
  return Napi::Number::New(info.Env(), value);
}

Napi::Value address_object(const Napi::CallbackInfo &info, const sockaddr_storage &address) {
  char text[64] = "";
  auto *v4 = reinterpret_cast<const sockaddr_in *>(&address);
  auto *v6 = reinterpret_cast<const sockaddr_in6 *>(&address);
  bool is_v6 = address.ss_family == AF_INET6;
  if (is_v6)
    uv_ip6_name(v6, text, sizeof text);
  else
    uv_ip4_name(v4, text, sizeof text);
  auto object = Napi::Object::New(info.Env());
  object.Set("host", text);
  object.Set("port", ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
  object.Set("family", is_v6 ? "IPv6" : "IPv4");
  return object;
}

Napi::Value open(const Napi::CallbackInfo &info) {
  session(info).open(info);
  return undefined(info);
}

Napi::Value flush(const Napi::CallbackInfo &info) {
  if (Hub *hub = session(info).hub()) hub->flush();
  return undefined(info);
}

// The end of a turn in which the slab was given away.
Napi::Value use_slab(const Napi::CallbackInfo &info) {
  session(info).use_slab();
  return undefined(info);
}

// --- configurations: createConfig(object) -> id, dropConfig(id)

Napi::Value create_config(const Napi::CallbackInfo &info) {
  std::unique_ptr<ChannelConfig> config(new (std::nothrow) ChannelConfig);
  if (config == nullptr) return number(info, 0);
  if (!read_config(info.Env(), info[0], *config)) return undefined(info);
  Hub *hub = session(info).hub();
  if (hub != nullptr && hub->memory().slab_size < Reassembly::min_slab(config->format)) {
    Napi::RangeError::New(info.Env(), "the slab is too small for this format").ThrowAsJavaScriptException();
    return undefined(info);
  }
  return number(info, session(info).add_config(config.release()));
}

Napi::Value drop_config(const Napi::CallbackInfo &info) {
  if (info[0].IsNumber()) session(info).drop_config(info[0].As<Napi::Number>().Uint32Value());
  return undefined(info);
}

Napi::Value held_bytes(const Napi::CallbackInfo &info) {
  ChannelConfig *config =
      info[0].IsNumber() ? session(info).config(info[0].As<Napi::Number>().Uint32Value()) : nullptr;
  return number(info, config == nullptr ? 0 : static_cast<double>(config->budget.held));
}

// keep(config, slot, bytes): the owner keeps so much more, or less, of what the connection brought. false: it
// is over the budget.
Napi::Value keep(const Napi::CallbackInfo &info) {
  ChannelConfig *config =
      info[0].IsNumber() ? session(info).config(info[0].As<Napi::Number>().Uint32Value()) : nullptr;
  if (config == nullptr || !info[1].IsNumber() || !info[2].IsNumber())
    return Napi::Boolean::New(info.Env(), true);
  auto bytes = info[2].As<Napi::Number>().Int64Value();
  Budget &budget = config->budget;
  if (bytes < 0) {
    budget.held -= std::min(budget.held, 0 - static_cast<uint64_t>(bytes));
    return Napi::Boolean::New(info.Env(), true);
  }
  budget.held += static_cast<uint64_t>(bytes);
  Hub *hub = session(info).hub();
  Connection *found = hub == nullptr ? nullptr : hub->connection(info[1].As<Napi::Number>().Uint32Value());
  const bool over = found != nullptr && budget.held > budget.limit;
  if (over) found->over_budget();
  return Napi::Boolean::New(info.Env(), !over);
}

// --- listeners: listenX(config, number, …, backlog, maxConnections, hold, announce) -> 0 or a libuv error
// code

template <typename Listen>
Napi::Value listen_with(const Napi::CallbackInfo &info, size_t rest, Listen listen) {
  Napi::Env env = info.Env();
  Session &state = session(info);
  uint64_t id = 0, serial = 0, backlog = 0, most = 0;
  bool hold = false, announce = false;
  if (!read_uint(env, info[0], "config", UINT32_MAX, id) ||
      !read_uint(env, info[1], "number", UINT32_MAX, serial) ||
      !read_uint(env, info[rest], "backlog", INT32_MAX, backlog) ||
      !read_uint(env, info[rest + 1], "maxConnections", UINT32_MAX, most) ||
      !read_bool(env, info[rest + 2], "hold", hold) || !read_bool(env, info[rest + 3], "announce", announce))
    return undefined(info);
  ChannelConfig *config = state.config(static_cast<uint32_t>(id));
  if (state.hub() == nullptr || config == nullptr || serial == 0) return number(info, UV_EINVAL);
  Listener *listener = Listener::create(*state.hub(), config, static_cast<uint32_t>(serial),
                                        static_cast<uint32_t>(most), hold, announce);
  if (listener == nullptr) return number(info, UV_ENOMEM);
  int status = listen(*listener, static_cast<int>(backlog));
  if (status < 0) listener->close();
  return number(info, status);
}

Napi::Value listen_path(const Napi::CallbackInfo &info) {
  uint8_t *path = nullptr;
  size_t length = 0;
  if (!read_bytes(info.Env(), info[2], "path", path, length)) return undefined(info);
  std::string name(reinterpret_cast<char *>(path), length);
  return listen_with(info, 3, [&](Listener &listener, int backlog) {
    return listener.listen_path(name.c_str(), name.size(), backlog);
  });
}

Napi::Value listen_tcp(const Napi::CallbackInfo &info) {
  sockaddr_storage address{};
  if (!read_address(info.Env(), info[2], info[3], address)) return undefined(info);
  return listen_with(info, 4, [&](Listener &listener, int backlog) {
    return listener.listen_tcp(reinterpret_cast<sockaddr *>(&address), backlog);
  });
}

Napi::Value listen_descriptor(const Napi::CallbackInfo &info) {
  uint64_t descriptor = 0;
  bool shared = false;
  if (!read_uint(info.Env(), info[2], "fd", INT32_MAX, descriptor) ||
      !read_bool(info.Env(), info[3], "shared", shared))
    return undefined(info);
  return listen_with(info, 4, [&](Listener &listener, int backlog) {
    return listener.listen_descriptor(static_cast<int>(descriptor), shared, backlog);
  });
}

// holdPath(path, backlog) -> a descriptor that listens, or a libuv error code below 0. Nothing here keeps it.
Napi::Value hold_path(const Napi::CallbackInfo &info) {
  uint8_t *path = nullptr;
  size_t length = 0;
  uint64_t backlog = 0;
  if (!read_bytes(info.Env(), info[0], "path", path, length) ||
      !read_uint(info.Env(), info[1], "backlog", INT32_MAX, backlog))
    return undefined(info);
  uv_os_sock_t fd{};
  int status = platform::listen_path(reinterpret_cast<char *>(path), length, static_cast<int>(backlog), fd);
  return number(info, status < 0 ? status : static_cast<double>(fd));
}

// duplicate(fd) -> another descriptor, or a libuv error code below 0.
Napi::Value duplicate(const Napi::CallbackInfo &info) {
  uint64_t descriptor = 0;
  if (!read_uint(info.Env(), info[0], "fd", INT32_MAX, descriptor)) return undefined(info);
  return number(info, platform::duplicate(static_cast<int>(descriptor)));
}

Napi::Value close_listener(const Napi::CallbackInfo &info) {
  if (Listener *found = listener(info)) found->close();
  return undefined(info);
}

Napi::Value listener_address(const Napi::CallbackInfo &info) {
  Listener *found = listener(info);
  sockaddr_storage address{};
  if (found == nullptr || !found->local_address(address)) return info.Env().Null();
  return address_object(info, address);
}

Napi::Value listener_connections(const Napi::CallbackInfo &info) {
  Listener *found = listener(info);
  return number(info, found == nullptr ? 0 : found->connections());
}

Napi::Value slots_of(const Napi::CallbackInfo &info) {
  auto slots = Napi::Array::New(info.Env());
  Listener *found = listener(info);
  uint32_t count = 0;
  if (found != nullptr)
    for (uint32_t slot = 0; slot < session(info).hub()->slots_used(); slot++) {
      Connection *made = session(info).hub()->connection(slot);
      if (made != nullptr && made->listener() == found) slots[count++] = number(info, slot);
    }
  return slots;
}

Napi::Value reference_listener(const Napi::CallbackInfo &info) {
  if (Listener *found = listener(info)) found->reference(is_true(info[1]));
  return undefined(info);
}

// --- connections: connectX(config, …) -> slot, or a libuv error code below 0

template <typename Connect>
Napi::Value connect_with(const Napi::CallbackInfo &info, bool is_tcp, Connect connect) {
  Session &state = session(info);
  uint64_t id = 0;
  if (!read_uint(info.Env(), info[0], "config", UINT32_MAX, id)) return undefined(info);
  ChannelConfig *config = state.config(static_cast<uint32_t>(id));
  if (state.hub() == nullptr || config == nullptr) return number(info, UV_EINVAL);
  Connection *made = Connection::create(*state.hub(), *config, is_tcp);
  if (made == nullptr) return number(info, UV_ENOMEM);
  int status = connect(*made);
  if (status == 0) return number(info, made->slot());
  made->destroy();
  return number(info, status);
}

Napi::Value connect_path(const Napi::CallbackInfo &info) {
  uint8_t *path = nullptr;
  size_t length = 0;
  if (!read_bytes(info.Env(), info[1], "path", path, length)) return undefined(info);
  std::string name(reinterpret_cast<char *>(path), length);
  return connect_with(info, false,
                      [&](Connection &made) { return made.connect_path(name.c_str(), name.size()); });
}

Napi::Value connect_tcp(const Napi::CallbackInfo &info) {
  sockaddr_storage address{};
  if (!read_address(info.Env(), info[1], info[2], address)) return undefined(info);
  return connect_with(
      info, true, [&](Connection &made) { return made.connect_tcp(reinterpret_cast<sockaddr *>(&address)); });
}

Napi::Value pause(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->pause();
  return undefined(info);
}

Napi::Value resume(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->resume();
  return undefined(info);
}

Napi::Value destroy(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->destroy();
  return undefined(info);
}

Napi::Value reference_connection(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->reference(is_true(info[1]));
  return undefined(info);
}

Napi::Value check_mark(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->check_mark();
  return undefined(info);
}

// sendLarge(slot, headStart, headEnd, payload, copy): the header lies in the out slab. Without `copy` the
// payload is held until it is written; with it, what cannot be written at once is copied.
Napi::Value send_large(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Session &state = session(info);
  Connection *found = connection(info);
  uint64_t start = 0, end = 0;
  uint8_t *payload = nullptr;
  size_t size = 0;
  if (!read_uint(env, info[1], "headStart", UINT32_MAX, start) ||
      !read_uint(env, info[2], "headEnd", UINT32_MAX, end) ||
      !read_bytes(env, info[3], "payload", payload, size))
    return undefined(info);
  if (found == nullptr || start > end || end > state.hub()->memory().out_size || payload == nullptr)
    return undefined(info);
  uv_buf_t head = uv_buf_init(reinterpret_cast<char *>(state.hub()->memory().out + start),
                              static_cast<unsigned>(end - start));
  if (is_true(info[4])) {
    if (size > platform::buffer_most) {
      Napi::RangeError::New(env, "the payload is too large to be copied").ThrowAsJavaScriptException();
      return undefined(info);
    }
    uv_buf_t bufs[2] = {head, {}};
    bufs[1].base = reinterpret_cast<char *>(payload);
    bufs[1].len = static_cast<platform::BufferLength>(size);
    found->write(bufs, 2, head.len + size);
    return undefined(info);
  }
  auto held = JsPayload::hold(env, info[3], &state.held_payloads());
  if (held == nullptr) {
    Napi::Error::New(env, "no memory to hold the payload").ThrowAsJavaScriptException();
    return undefined(info);
  }
  found->write_large(head, std::move(held), size);
  return undefined(info);
}

Napi::Value take_large(const Napi::CallbackInfo &info) {
  Connection *found = connection(info);
  Block block;
  if (found == nullptr || !found->take_large(block)) return info.Env().Null();
  return session(info).large().take(info.Env(), block);
}

// [code, system, declared or -1, received, hint, fatal, length suspected]
Napi::Value fault(const Napi::CallbackInfo &info) {
  Connection *found = connection(info);
  const Fault *fault = found == nullptr ? nullptr : found->fault();
  if (fault == nullptr) return info.Env().Null();
  auto row = Napi::Array::New(info.Env(), 7);
  row[0u] = number(info, static_cast<int>(fault->code));
  row[1u] = number(info, fault->system);
  row[2u] = number(info, fault->declared_known ? static_cast<double>(fault->declared) : -1);
  row[3u] = number(info, static_cast<double>(fault->received));
  row[4u] = number(info, static_cast<int>(fault->hint));
  row[5u] = Napi::Boolean::New(info.Env(), fault->fatal);
  row[6u] = number(info, static_cast<double>(fault->suspected));
  return row;
}

Napi::Value peer(const Napi::CallbackInfo &info) {
  Connection *found = connection(info);
  platform::PeerCredentials credentials;
  if (found == nullptr || !found->peer(credentials)) return info.Env().Null();
  auto object = Napi::Object::New(info.Env());
  object.Set("pid", number(info, static_cast<double>(credentials.pid)));
  object.Set("uid", number(info, static_cast<double>(credentials.uid)));
  object.Set("gid", number(info, static_cast<double>(credentials.gid)));
  return object;
}

Napi::Value remote_address(const Napi::CallbackInfo &info) {
  Connection *found = connection(info);
  sockaddr_storage address{};
  if (found == nullptr || !found->remote_address(address)) return info.Env().Null();
  return address_object(info, address);
}

// Live objects, for tests: zero after everything is closed and collected.
Napi::Value counters(const Napi::CallbackInfo &info) {
  Session &state = session(info);
  auto object = Napi::Object::New(info.Env());
  object.Set("connections",
             number(info, state.hub() == nullptr ? 0 : static_cast<double>(state.hub()->live_connections())));
  object.Set("largeBytes", number(info, static_cast<double>(state.large().live_bytes())));
  object.Set("largeBlocks", number(info, static_cast<double>(state.large().live_blocks())));
  object.Set("heldPayloads", number(info, static_cast<double>(state.held_payloads())));
  object.Set("configs", number(info, static_cast<double>(state.configs())));
  return object;
}

// The name libuv gives an error code: ['EADDRINUSE', 'address already in use'].
Napi::Value error_name(const Napi::CallbackInfo &info) {
  int code = info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : 0;
  char name[64], text[128];
  uv_err_name_r(code, name, sizeof name);
  uv_strerror_r(code, text, sizeof text);
  auto pair = Napi::Array::New(info.Env(), 2);
  pair[0u] = Napi::String::New(info.Env(), name);
  pair[1u] = Napi::String::New(info.Env(), text);
  return pair;
}

void let_go(Napi::Env, Session *state) {
  state->detach();
}

} // namespace

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData<Session, let_go>(new Session(env));
  exports.Set("open", Napi::Function::New<open>(env));
  exports.Set("flush", Napi::Function::New<flush>(env));
  exports.Set("useSlab", Napi::Function::New<use_slab>(env));
  exports.Set("createConfig", Napi::Function::New<create_config>(env));
  exports.Set("dropConfig", Napi::Function::New<drop_config>(env));
  exports.Set("heldBytes", Napi::Function::New<held_bytes>(env));
  exports.Set("keep", Napi::Function::New<keep>(env));
  exports.Set("listenPath", Napi::Function::New<listen_path>(env));
  exports.Set("listenTcp", Napi::Function::New<listen_tcp>(env));
  exports.Set("duplicate", Napi::Function::New<duplicate>(env));
  exports.Set("listenDescriptor", Napi::Function::New<listen_descriptor>(env));
  exports.Set("holdPath", Napi::Function::New<hold_path>(env));
  exports.Set("closeListener", Napi::Function::New<close_listener>(env));
  exports.Set("listenerAddress", Napi::Function::New<listener_address>(env));
  exports.Set("listenerConnections", Napi::Function::New<listener_connections>(env));
  exports.Set("slotsOf", Napi::Function::New<slots_of>(env));
  exports.Set("referenceListener", Napi::Function::New<reference_listener>(env));
  exports.Set("connectPath", Napi::Function::New<connect_path>(env));
  exports.Set("connectTcp", Napi::Function::New<connect_tcp>(env));
  exports.Set("pause", Napi::Function::New<pause>(env));
  exports.Set("resume", Napi::Function::New<resume>(env));
  exports.Set("destroy", Napi::Function::New<destroy>(env));
  exports.Set("reference", Napi::Function::New<reference_connection>(env));
  exports.Set("checkMark", Napi::Function::New<check_mark>(env));
  exports.Set("sendLarge", Napi::Function::New<send_large>(env));
  exports.Set("takeLarge", Napi::Function::New<take_large>(env));
  exports.Set("fault", Napi::Function::New<fault>(env));
  exports.Set("peer", Napi::Function::New<peer>(env));
  exports.Set("remoteAddress", Napi::Function::New<remote_address>(env));
  export_codec(env, exports);
  exports.Set("counters", Napi::Function::New<counters>(env));
  exports.Set("errorName", Napi::Function::New<error_name>(env));
  return exports;
}

} // namespace framewire

static Napi::Object init_framewire(Napi::Env env, Napi::Object exports) {
  return framewire::init(env, exports);
}
NODE_API_MODULE(framewire, init_framewire)
