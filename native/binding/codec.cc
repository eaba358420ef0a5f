#include "codec.hpp"
#include "../core/scan.hpp"
#include "arguments.hpp"

namespace framewire {

namespace {

// createFormat(object) -> external
Napi::Value create_format(const Napi::CallbackInfo &info) {
  FrameFormat format;
  if (!read_format(info.Env(), info[0], format)) return info.Env().Undefined();
  return Napi::External<FrameFormat>::New(info.Env(), new FrameFormat(format),
                                          [](Napi::Env, FrameFormat *made) { delete made; });
}

// scan(format, bytes, from, to, limit, table, maxRows, result); result: Float64Array [consumed, rows, stop,
// declared, frameBytes, headerBytes]
Napi::Value scan_bytes(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  uint64_t from = 0, to = 0, limit = 0, most = 0;
  uint8_t *bytes = nullptr;
  size_t size = 0;
  if (info.Length() < 8 || !info[0].IsExternal() || !info[5].IsTypedArray() || !info[7].IsTypedArray()) {
    Napi::TypeError::New(env, "scan(format, bytes, from, to, limit, table, maxRows, result)")
        .ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  if (!read_bytes(env, info[1], "bytes", bytes, size) || !read_uint(env, info[2], "from", size, from) ||
      !read_uint(env, info[3], "to", size, to) || !read_uint(env, info[4], "limit", kMaxPayload, limit) ||
      !read_uint(env, info[6], "maxRows", UINT32_MAX, most))
    return info.Env().Undefined();
  auto table = info[5].As<Napi::TypedArray>();
  auto result = info[7].As<Napi::TypedArray>();
  if (from > to || to > UINT32_MAX || table.TypedArrayType() != napi_uint32_array ||
      most > table.ElementLength() / 2 || result.TypedArrayType() != napi_float64_array ||
      result.ElementLength() < 6) {
    Napi::RangeError::New(env, "scan: out of bounds").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const FrameFormat &format = *info[0].As<Napi::External<FrameFormat>>().Data();
  auto *rows = reinterpret_cast<FrameRow *>(table.As<Napi::Uint32Array>().Data());
  ScanResult found = scan(format, limit, bytes + from, to - from, rows, most, static_cast<uint32_t>(from));
  double *out = result.As<Napi::Float64Array>().Data();
  out[0] = static_cast<double>(found.consumed);
  out[1] = static_cast<double>(found.rows);
  out[2] = static_cast<double>(found.stop);
  out[3] = static_cast<double>(found.declared);
  out[4] = static_cast<double>(found.frame_bytes);
  out[5] = static_cast<double>(found.header_bytes);
  return info.Env().Undefined();
}

} // namespace

void export_codec(Napi::Env env, Napi::Object exports) {
  exports.Set("createFormat", Napi::Function::New<create_format>(env));
  exports.Set("scan", Napi::Function::New<scan_bytes>(env));
}

} // namespace framewire
