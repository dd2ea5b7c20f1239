// Completion<T>: called exactly once with the outcome of a verb that can wait.
// Move-only; callables of up to kInlineBytes are stored without an allocation.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include <topicfs/result.h>

namespace topicfs {

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  static constexpr size_t kInlineBytes = 64;

  UniqueFunction() = default;
  UniqueFunction(std::nullptr_t) {}
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> &&
             std::is_invocable_r_v<R, std::remove_cvref_t<F>&, Args...>)
  UniqueFunction(F&& f) {
    using T = std::remove_cvref_t<F>;
    if constexpr (fits<T>()) {
      new (storage_) T(std::forward<F>(f));
    } else {
      *reinterpret_cast<T**>(storage_) = new T(std::forward<F>(f));
    }
    vtable_ = &kVtable<T>;
  }
  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) reset(), take(other);
    return *this;
  }
  ~UniqueFunction() { reset(); }

  explicit operator bool() const { return vtable_ != nullptr; }
  R operator()(Args... args) { return vtable_->call(storage_, std::forward<Args>(args)...); }
  void reset() {
    if (vtable_) std::exchange(vtable_, nullptr)->destroy(storage_);
  }

 private:
  struct Vtable {
    R (*call)(std::byte*, Args&&...);
    void (*move)(std::byte* from, std::byte* to);
    void (*destroy)(std::byte*);
  };
  template <class T>
  static constexpr bool fits() {
    return sizeof(T) <= kInlineBytes && alignof(T) <= alignof(std::max_align_t) &&
           std::is_nothrow_move_constructible_v<T>;
  }
  template <class T>
  static T& target(std::byte* s) {
    if constexpr (fits<T>()) return *std::launder(reinterpret_cast<T*>(s));
    else return **reinterpret_cast<T**>(s);
  }
  template <class T>
  static constexpr Vtable kVtable{
      [](std::byte* s, Args&&... args) -> R { return target<T>(s)(std::forward<Args>(args)...); },
      [](std::byte* from, std::byte* to) {
        if constexpr (fits<T>()) {
          new (to) T(std::move(target<T>(from)));
          target<T>(from).~T();
        } else {
          *reinterpret_cast<T**>(to) = *reinterpret_cast<T**>(from);
        }
      },
      [](std::byte* s) {
        if constexpr (fits<T>()) target<T>(s).~T();
        else delete &target<T>(s);
      }};
  void take(UniqueFunction& other) {
    if (!other.vtable_) return;
    other.vtable_->move(other.storage_, storage_);
    vtable_ = std::exchange(other.vtable_, nullptr);
  }

  alignas(std::max_align_t) std::byte storage_[kInlineBytes];
  const Vtable* vtable_ = nullptr;
};

template <class T>
using Completion = UniqueFunction<void(Result<T>)>;
using Task = UniqueFunction<void()>;

}  // namespace topicfs
