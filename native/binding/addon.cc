// The addon: what JS calls of the hub itself. Connections, listeners and the codec export their own.
#include "arguments.hpp"
#include "calls.hpp"
#include "codec.hpp"
#include <algorithm>

namespace framewire {

namespace {

Napi::Value open(const Napi::CallbackInfo &info) {
  session(info).open(info);
  return undefined(info);
}

Napi::Value flush(const Napi::CallbackInfo &info) {
  if (Hub *hub = session(info).hub()) hub->flush();
  return undefined(info);
}

// --- configurations: createConfig(object) -> id, dropConfig(id)

Napi::Value create_config(const Napi::CallbackInfo &info) {
  std::unique_ptr<ChannelConfig> config(new (std::nothrow) ChannelConfig);
  if (config == nullptr) return number(info, 0);
  if (!read_config(info.Env(), info[0], *config)) return undefined(info);
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

// keep(config, slot, bytes): the owner keeps so much more, or less, of what the connection brought.
Napi::Value keep(const Napi::CallbackInfo &info) {
  ChannelConfig *config =
      info[0].IsNumber() ? session(info).config(info[0].As<Napi::Number>().Uint32Value()) : nullptr;
  if (config == nullptr || !info[1].IsNumber() || !info[2].IsNumber()) return undefined(info);
  auto bytes = info[2].As<Napi::Number>().Int64Value();
  Budget &budget = config->budget;
  if (bytes < 0) {
    budget.held -= std::min(budget.held, 0 - static_cast<uint64_t>(bytes));
    return undefined(info);
  }
  budget.held += static_cast<uint64_t>(bytes);
  Hub *hub = session(info).hub();
  Connection *found = hub == nullptr ? nullptr : hub->connection(info[1].As<Napi::Number>().Uint32Value());
  if (found != nullptr && budget.held > budget.limit) found->over_budget();
  return undefined(info);
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
  exports.Set("createConfig", Napi::Function::New<create_config>(env));
  exports.Set("dropConfig", Napi::Function::New<drop_config>(env));
  exports.Set("heldBytes", Napi::Function::New<held_bytes>(env));
  exports.Set("keep", Napi::Function::New<keep>(env));
  exports.Set("counters", Napi::Function::New<counters>(env));
  exports.Set("errorName", Napi::Function::New<error_name>(env));
  export_listeners(env, exports);
  export_connections(env, exports);
  export_codec(env, exports);
  return exports;
}

} // namespace framewire

static Napi::Object init_framewire(Napi::Env env, Napi::Object exports) {
  return framewire::init(env, exports);
}
NODE_API_MODULE(framewire, init_framewire)
