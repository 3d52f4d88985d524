//! Amounts as Kubernetes writes them: `8`, `1000m`, `32Gi`.

/// CPU in thousandths: `"8"` → 8000, `"500m"` → 500, `"0.5"` → 500.
pub fn milli_cpu(text: &str) -> Option<u64> {
    if let Some(milli) = text.strip_suffix('m') {
        return milli.parse().ok();
    }
    let cpu: f64 = text.parse().ok()?;
    (cpu > 0.0 && cpu < 1e6).then_some((cpu * 1000.0).round() as u64)
}

/// Bytes: `"32Gi"`, `"512Mi"`, `"2G"`, `"1073741824"`.
pub fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 8] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("K", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| text.strip_suffix(suffix).map(|n| (n, *unit)))
        .unwrap_or((text, 1));
    let number: f64 = number.parse().ok()?;
    (number > 0.0).then_some((number * unit as f64).round() as u64)
}

/// A protobuf duration, `"300s"` or `"1.5s"`.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_all_usual_forms() {
        assert_eq!(milli_cpu("8"), Some(8000));
        assert_eq!(milli_cpu("500m"), Some(500));
        assert_eq!(milli_cpu("0.5"), Some(500));
        assert_eq!(milli_cpu("many"), None);
        assert_eq!(bytes("32Gi"), Some(34_359_738_368));
        assert_eq!(bytes("512Mi"), Some(536_870_912));
        assert_eq!(bytes("1G"), Some(1_000_000_000));
        assert_eq!(bytes("16 GB"), None);
        assert_eq!(duration("1.5s"), Some(std::time::Duration::from_millis(1500)));
        assert_eq!(duration("5m"), None);
    }
}
