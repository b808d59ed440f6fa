// Exact fractions: frame rates, time bases, aspect ratios. Identity is an integer: frame numbers
// and pts are int64_t with a rational time base; floating seconds are for people only.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace vsr {

// Always in lowest terms with den > 0. Num and den stay within int32 for anything that comes from
// a media file.
class Rational {
 public:
  constexpr Rational() = default;
  // Throws Error(kInternal) when den == 0.
  Rational(std::int64_t num, std::int64_t den);

  constexpr std::int64_t num() const { return num_; }

  constexpr std::int64_t den() const { return den_; }

  double to_double() const { return static_cast<double>(num_) / static_cast<double>(den_); }

  // Throws Error(kInternal) when this is zero.
  Rational inverse() const;
  bool operator==(const Rational&) const = default;
  std::strong_ordering operator<=>(const Rational& other) const;

 private:
  std::int64_t num_ = 0;
  std::int64_t den_ = 1;
};

Rational operator*(const Rational& a, const Rational& b);
Rational operator/(const Rational& a, const Rational& b);
// "25", "24000/1001".
std::string to_string(const Rational& value);
// Accepts "25", "24000/1001", "23.976" (decimals that name an NTSC rate become it exactly),
// "29.97". Throws Error(kUsage).
Rational parse_rate(std::string_view text);

enum class Rounding { kNearest, kFloor, kCeil };
// value * from / to without overflow of intermediates; nearest rounds halves away from zero.
std::int64_t rescale(std::int64_t value,
                     const Rational& from,
                     const Rational& to,
                     Rounding rounding = Rounding::kNearest);

}  // namespace vsr
