//! Amounts of money: the source states whole minor units, and how many of them make one unit of the currency.

/// Decimals for a divisor that is not a power of ten; no currency in use has one.
const DIGITS_MAX: usize = 6;

/// Converts minor units to units of the currency, exactly: `(1250, 100)` is `12.50`. None for a divisor below 1.
///
/// Where the divisor is not a power of ten, the result is truncated after six decimals.
#[must_use]
pub fn in_units(minor: i64, divisor: i64) -> Option<String> {
    if divisor < 1 {
        return None;
    }
    let (whole, mut rest) =
        (minor.unsigned_abs() / divisor.unsigned_abs(), minor.unsigned_abs() % divisor.unsigned_abs());
    let digits = digits(divisor);
    let mut text = format!("{}{whole}", if minor < 0 { "-" } else { "" });
    if digits > 0 {
        text.push('.');
    }
    for _ in 0..digits {
        let ten_times = u128::from(rest) * 10;
        text.push_str(&(ten_times / u128::from(divisor.unsigned_abs())).to_string());
        rest = u64::try_from(ten_times % u128::from(divisor.unsigned_abs())).unwrap_or(0);
    }
    Some(text)
}

/// Returns the number of decimals of amounts with that divisor.
fn digits(divisor: i64) -> usize {
    let power = divisor.ilog10();
    if 10_i64.pow(power) == divisor { power as usize } else { DIGITS_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amount_is_exact_in_every_currency() {
        for (minor, divisor, expected) in [
            (1_250, 100, Some("12.50")),
            (-5, 100, Some("-0.05")),
            (0, 100, Some("0.00")),
            (7_000, 1, Some("7000")),
            (1_234, 1_000, Some("1.234")),
            (7, 8, Some("0.875000")),
            (i64::MIN, 100, Some("-92233720368547758.08")),
            (i64::MAX, i64::MAX, Some("1.000000")),
            (5, 0, None),
            (5, -100, None),
        ] {
            assert_eq!(in_units(minor, divisor).as_deref(), expected, "{minor}/{divisor}");
        }
    }
}
