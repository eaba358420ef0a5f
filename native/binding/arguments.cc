#include "arguments.hpp"
#include <cmath>
#include <string>

namespace framewire {

namespace {

bool refuse(Napi::Env env, const char *name, const char *what) {
  Napi::TypeError::New(env, std::string(name) + ": " + what).ThrowAsJavaScriptException();
  return false;
}

bool read_property(Napi::Env env, Napi::Object object, const char *name, uint64_t most, uint64_t &out) {
  return read_uint(env, object.Get(name), name, most, out);
}

} // namespace

bool read_uint(Napi::Env env, Napi::Value value, const char *name, uint64_t most, uint64_t &out) {
  if (!value.IsNumber()) return refuse(env, name, "not a number");
  double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0) || number > 9007199254740991.0 || std::floor(number) != number)
    return refuse(env, name, "not a whole number of 0 or more");
  out = static_cast<uint64_t>(number);
  return out <= most || refuse(env, name, "too large");
}

bool read_bool(Napi::Env env, Napi::Value value, const char *name, bool &out) {
  if (!value.IsBoolean()) return refuse(env, name, "not a boolean");
  out = value.As<Napi::Boolean>().Value();
  return true;
}

bool read_bytes(Napi::Env env, Napi::Value value, const char *name, uint8_t *&data, size_t &size) {
  if (!value.IsTypedArray()) return refuse(env, name, "not a Uint8Array");
  auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array) return refuse(env, name, "not a Uint8Array");
  void *bytes = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, array, nullptr, &length, &bytes, nullptr, nullptr) != napi_ok)
    return refuse(env, name, "not readable");
  data = static_cast<uint8_t *>(bytes);
  size = length;
  return true;
}

bool read_table(Napi::Env env, Napi::Object tables, const char *name, napi_typedarray_type type, size_t least,
                void *&data, size_t &count) {
  Napi::Value value = tables.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    return refuse(env, name, "not the typed array wanted");
  if (napi_get_typedarray_info(env, value, nullptr, &count, &data, nullptr, nullptr) != napi_ok)
    return refuse(env, name, "not readable");
  return (data != nullptr && count >= least) || refuse(env, name, "too small");
}

bool read_format(Napi::Env env, Napi::Value value, FrameFormat &out) {
  if (!value.IsObject()) return refuse(env, "format", "not an object");
  auto object = value.As<Napi::Object>();
  uint64_t width = 0, offset = 0;
  bool little = false;
  if (!read_property(env, object, "lengthBytes", 8, width) ||
      !read_property(env, object, "lengthOffset", kMaxOffset, offset) ||
      !read_bool(env, object.Get("littleEndian"), "littleEndian", little))
    return false;
  Napi::Value adjustment = object.Get("lengthAdjustment"), strip = object.Get("strip");
  if (!adjustment.IsNumber() || !strip.IsNumber()) return refuse(env, "format", "a number is missing");
  FormatSpec spec;
  spec.length_bytes = static_cast<uint8_t>(width);
  spec.endian = little ? Endian::little : Endian::big;
  spec.length_offset = static_cast<uint32_t>(offset);
  spec.length_adjustment = adjustment.As<Napi::Number>().Int32Value();
  spec.strip = strip.As<Napi::Number>().Int64Value();
  return FrameFormat::make(spec, out) || refuse(env, "format", "not valid");
}

bool read_config(Napi::Env env, Napi::Value value, ChannelConfig &out) {
  if (!value.IsObject()) return refuse(env, "config", "not an object");
  auto object = value.As<Napi::Object>();
  constexpr uint64_t any = 9007199254740991;
  return read_format(env, object.Get("format"), out.format) &&
         read_property(env, object, "maxFrameLength", kMaxPayload, out.max_payload) &&
         read_property(env, object, "firstByteTimeout", any, out.first_byte_timeout) &&
         read_property(env, object, "headerTimeout", any, out.header_timeout) &&
         read_property(env, object, "bodyTimeout", any, out.body_timeout) &&
         read_property(env, object, "idleTimeout", any, out.idle_timeout) &&
         read_property(env, object, "writeTimeout", any, out.write_timeout) &&
         read_property(env, object, "memoryBudget", any, out.budget.limit) &&
         read_bool(env, object.Get("headerFromAccept"), "headerFromAccept", out.header_from_accept) &&
         read_bool(env, object.Get("noDelay"), "noDelay", out.no_delay) &&
         read_bool(env, object.Get("keepAlive"), "keepAlive", out.keep_alive);
}

bool read_address(Napi::Env env, Napi::Value host, Napi::Value port, sockaddr_storage &out) {
  if (!host.IsString()) return refuse(env, "host", "not a string");
  uint64_t number = 0;
  if (!read_uint(env, port, "port", 65535, number)) return false;
  std::string text = host.As<Napi::String>();
  auto *v4 = reinterpret_cast<sockaddr_in *>(&out);
  auto *v6 = reinterpret_cast<sockaddr_in6 *>(&out);
  if (uv_ip4_addr(text.c_str(), static_cast<int>(number), v4) == 0) return true;
  return uv_ip6_addr(text.c_str(), static_cast<int>(number), v6) == 0 ||
         refuse(env, "host", "not an IP address");
}

} // namespace framewire
