#include "vsr/base/rational.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <array>
#include <limits>
#include <numeric>

namespace vsr {

namespace {

__extension__ using Int128 = __int128;

Rational reduce(Int128 num, Int128 den) {
  if (den < 0) {
    num = -num;
    den = -den;
  }
  Int128 a = num < 0 ? -num : num;
  Int128 b = den;
  while (b != 0) {
    const Int128 rest = a % b;
    a = b;
    b = rest;
  }
  if (a != 0) {
    num /= a;
    den /= a;
  }
  constexpr Int128 kMost = std::numeric_limits<std::int64_t>::max();
  if (num > kMost || num < -kMost || den > kMost) {
    throw Error(ErrorCode::kInternal, "fraction out of range");
  }
  return {static_cast<std::int64_t>(num), static_cast<std::int64_t>(den)};
}

}  // namespace

Rational::Rational(std::int64_t num, std::int64_t den) {
  if (den == 0) throw Error(ErrorCode::kInternal, "fraction with denominator 0");
  const std::int64_t divisor = std::gcd(num, den);
  const std::int64_t sign = den < 0 ? -1 : 1;
  num_ = divisor == 0 ? 0 : sign * (num / divisor);
  den_ = divisor == 0 ? 1 : sign * (den / divisor);
}

Rational Rational::inverse() const {
  if (num_ == 0) throw Error(ErrorCode::kInternal, "inverse of 0");
  return {den_, num_};
}

std::strong_ordering Rational::operator<=>(const Rational& other) const {
  return static_cast<Int128>(num_) * other.den_ <=> static_cast<Int128>(other.num_) * den_;
}

Rational operator*(const Rational& a, const Rational& b) {
  return reduce(static_cast<Int128>(a.num()) * b.num(), static_cast<Int128>(a.den()) * b.den());
}

Rational operator/(const Rational& a, const Rational& b) { return a * b.inverse(); }

std::string to_string(const Rational& value) {
  if (value.den() == 1) return format("{}", value.num());
  return format("{}/{}", value.num(), value.den());
}

Rational parse_rate(std::string_view text) {
  const auto refuse = [&]() -> Rational {
    throw Error(ErrorCode::kUsage,
                format("'{}' is no frame rate; write 25, 24000/1001 or 23.976", text));
  };
  std::int64_t num = 0;
  std::int64_t den = 1;
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto above = parse_number<std::int64_t>(text.substr(0, slash));
    const auto below = parse_number<std::int64_t>(text.substr(slash + 1));
    if (!above || !below) return refuse();
    num = *above;
    den = *below;
  } else if (const auto point = text.find('.'); point != std::string_view::npos) {
    const std::string_view decimals = text.substr(point + 1);
    const auto whole = parse_number<std::int64_t>(text.substr(0, point));
    const auto part = parse_number<std::int64_t>(decimals);
    if (decimals.size() > 6 || decimals.starts_with('-') || !whole || !part || *whole < 0 ||
        *whole > 100'000) {
      return refuse();
    }
    for (std::size_t i = 0; i < decimals.size(); ++i) den *= 10;
    num = *whole * den + *part;
    // 23.976 means 24000/1001: the decimals are a rounding of the NTSC rate, not a rate of its own.
    for (const std::int64_t base : std::array<std::int64_t, 6>{24, 30, 48, 60, 120, 15}) {
      const double ntsc = static_cast<double>(base) * 1000.0 / 1001.0;
      const double given = static_cast<double>(num) / static_cast<double>(den);
      if (decimals.size() >= 2 && given - ntsc < 0.006 && ntsc - given < 0.006) {
        return {base * 1000, 1001};
      }
    }
  } else if (const auto whole = parse_number<std::int64_t>(text)) {
    num = *whole;
  } else {
    return refuse();
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (num <= 0 || den <= 0 || num > kMost || den > kMost) return refuse();
  return {num, den};
}

std::int64_t rescale(std::int64_t value,
                     const Rational& from,
                     const Rational& to,
                     Rounding rounding) {
  // value * from.num * to.den / (from.den * to.num), the product of the two fractions kept exact.
  const Rational ratio = from / to;
  const Int128 num = static_cast<Int128>(value) * ratio.num();
  const Int128 den = ratio.den();
  Int128 quotient = num / den;
  const Int128 rest = num % den;
  if (rest != 0) {
    switch (rounding) {
      case Rounding::kFloor:
        if (rest < 0) --quotient;
        break;
      case Rounding::kCeil:
        if (rest > 0) ++quotient;
        break;
      case Rounding::kNearest:
        if (2 * rest >= den) ++quotient;
        if (2 * rest <= -den) --quotient;
        break;
    }
  }
  if (quotient > std::numeric_limits<std::int64_t>::max() ||
      quotient < std::numeric_limits<std::int64_t>::min()) {
    throw Error(ErrorCode::kInternal, "rescaled time out of range");
  }
  return static_cast<std::int64_t>(quotient);
}

}  // namespace vsr
