// The addon's state in one environment (the main thread or a worker): its hub, the JS memory it runs on, and
// the two functions it calls. Lives as instance data and is taken down by an asynchronous cleanup hook,
// because handles close in turns of the loop.
#pragma once

#include "../transport/connection.hpp"
#include "../transport/hub.hpp"
#include "../transport/listener.hpp"
#include "memory.hpp"
#include <memory>
#include <napi.h>
#include <unordered_map>

namespace framewire {

class Session final : public HubOwner {
public:
  explicit Session(Napi::Env env) noexcept : env_(env) {}
  ~Session() override;

  // The environment goes down: nothing of it may be touched from now on. Frees itself once the handles have
  // closed.
  void detach() noexcept;

  // (tables, turn, allocate): once.
  void open(const Napi::CallbackInfo &info);
  // `tables.slab` is another one from now on.
  void use_slab();
  Hub *hub() noexcept { return hub_.get(); }
  JsMemory &large() noexcept { return large_; }
  size_t &held_payloads() noexcept { return held_payloads_; }

  // Configurations by number, each with one reference of its own until it is let go.
  uint32_t add_config(ChannelConfig *config);
  ChannelConfig *config(uint32_t id) noexcept;
  void drop_config(uint32_t id) noexcept;
  size_t configs() const noexcept { return configs_.size(); }

  void turn(size_t runs, size_t states) noexcept override;

private:
  static void clean_up(napi_async_cleanup_hook_handle handle, void *session);
  static void closed(void *session);

  Napi::Env env_;
  std::unique_ptr<Hub> hub_;
  JsMemory large_;
  size_t held_payloads_ = 0;
  Napi::ObjectReference tables_;
  Napi::FunctionReference turn_;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  bool open_ = false; // the hub has handles in the loop
  bool detached_ = false;
  std::unordered_map<uint32_t, ChannelConfig *> configs_;
  uint32_t next_config_ = 1;
};

} // namespace framewire
