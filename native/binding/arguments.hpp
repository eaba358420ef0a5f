// Arguments from JS, checked once more: nothing here trusts that the TypeScript above it did.
// Every reader throws a TypeError or RangeError in JS and returns false when the value does not fit.
#pragma once

#include "../transport/config.hpp"
#include <napi.h>

namespace framewire {

bool read_uint(Napi::Env env, Napi::Value value, const char *name, uint64_t most, uint64_t &out);
bool read_bool(Napi::Env env, Napi::Value value, const char *name, bool &out);
// Bytes of a typed array that is not detached.
bool read_bytes(Napi::Env env, Napi::Value value, const char *name, uint8_t *&data, size_t &size);
// A table: a typed array of `element` bytes an entry and at least `least` of them.
bool read_table(Napi::Env env, Napi::Object tables, const char *name, napi_typedarray_type type, size_t least,
                void *&data, size_t &count);
bool read_config(Napi::Env env, Napi::Value value, ChannelConfig &out);
bool read_format(Napi::Env env, Napi::Value value, FrameFormat &out);
// An IP address and a port.
bool read_address(Napi::Env env, Napi::Value host, Napi::Value port, sockaddr_storage &out);

} // namespace framewire
