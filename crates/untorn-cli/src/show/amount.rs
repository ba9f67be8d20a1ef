//! Numbers of bytes for people: as `-h` shows them everywhere.

/// Bytes in the largest unit that leaves a digit before the point, rounded up: `4.0K`, `12M`.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut unit, mut size) = (0, 1024_u64);
    // Tenths are rounded up, so 1023.95K is a mebibyte.
    while unit < UNITS.len() - 1 && u128::from(bytes) * 10 > u128::from(size) * 10_230 {
        (unit, size) = (unit + 1, size << 10);
    }
    let tenths = (u128::from(bytes) * 10).div_ceil(size.into());
    let name = UNITS.get(unit).copied().unwrap_or_default();
    match tenths < 100 {
        true => format!("{}.{}{name}", tenths / 10, tenths % 10),
        false => format!("{}{name}", bytes.div_ceil(size)),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn bytes_are_rounded_up_as_df_and_du_do() {
        let cases = [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10_188, "10K"),
            (10_240, "10K"),
            (10_241, "11K"),
            (1 << 20, "1.0M"),
            ((1 << 20) - 1, "1.0M"),
            (300 << 20, "300M"),
            (u64::MAX, "16E"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text, "{bytes}");
        }
    }
}
