use super::*;
use crate::report::samples;

#[test]
fn a_measurement_has_a_chart_for_each_question() {
    let titles: Vec<String> = all(&samples::levels()).into_iter().map(|c| c.title).collect();
    assert_eq!(
        titles,
        [
            "Time to first token: share of all values",
            "Gap between tokens: share of all values",
            "Time to first token by requests at a time",
            "Gap between tokens by requests at a time",
            "Time to first token over time, 1 at a time",
            "Time to first token over time, 4 at a time",
            "Time to first token over time, 16 at a time",
            "Time to first token over time, 64 at a time",
        ]
    );
}

#[test]
fn what_was_not_measured_has_no_chart() {
    assert!(all(&[]).is_empty());
    let mut levels = samples::levels();
    for level in &mut levels {
        level.over_time.clear();
        level.histograms.clear();
        level.ttft_ms = None;
        level.itl_ms = None;
    }
    assert!(all(&levels).is_empty());
    assert!(mermaid::chart(&levels).is_none());
}

#[test]
fn figures_that_no_axis_can_hold_make_no_chart_and_no_panic() {
    for value in [0.0, f64::NAN, f64::INFINITY, f64::MAX] {
        let mut levels = samples::levels();
        for level in &mut levels {
            if let Some(d) = level.ttft_ms.as_mut() {
                (d.p50, d.p95) = (value, value);
            }
            for bin in level.histograms.values_mut().flatten() {
                (bin.from, bin.to) = (value, value);
            }
            for slice in &mut level.over_time {
                (slice.ttft_p50, slice.ttft_p95) = (Some(value), Some(value));
            }
        }
        all(&levels);
    }
}

#[test]
fn the_charts_need_nothing_from_outside_and_can_be_read_out() {
    let tags = regex::Regex::new(r"</?(svg|title|line|polyline|polygon|circle|rect|text|path)[ >]").unwrap();
    for chart in all(&samples::levels()) {
        assert!(
            chart.svg.contains("role=\"img\" aria-label=\""),
            "{}",
            chart.title
        );
        assert!(chart.svg.contains("currentColor"), "{}", chart.title);
        assert!(!chart.svg.contains("#010203"), "{}", chart.title);
        for forbidden in [
            "<script", "href", "url(", "<image", "<style", " onload", " onclick",
        ] {
            assert!(!chart.svg.contains(forbidden), "{}: {forbidden}", chart.title);
        }
        for (at, _) in chart.svg.match_indices('<') {
            assert!(
                tags.find_at(&chart.svg, at).is_some_and(|m| m.start() == at),
                "{}: {}",
                chart.title,
                &chart.svg[at..]
            );
        }
    }
}

#[test]
fn the_share_of_all_values_in_a_distribution_is_all() {
    let levels = samples::levels();
    let one = distribution::chart("ttft", "t", &[&levels[0]]).unwrap();
    assert!(one.svg.contains("polyline"), "{}", one.svg);
    insta::assert_snapshot!(one.svg);
}

#[test]
fn a_curve_of_three_to_twenty_loads_is_drawn_in_the_comment() {
    let levels = samples::levels();
    insta::assert_snapshot!(mermaid::chart(&levels).unwrap());
    assert!(mermaid::chart(&levels[..2]).is_none());
    let many: Vec<Level> = levels.iter().cycle().take(21).cloned().collect();
    assert!(mermaid::chart(&many).is_none());
}
