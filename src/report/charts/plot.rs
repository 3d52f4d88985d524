//! Lines between two axes, drawn by plotters into an SVG that fits any width and both colour schemes.

use std::ops::Range;

use plotters::{
    coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
    prelude::*,
};

/// Size of the drawing in its own units. Shown between 340 and 460 pixels wide, its text stays legible.
const SIZE: (u32, u32) = (360, 210);
const TEXT: i32 = 15;
/// Replaced by `currentColor`: the page's text colour, light or dark.
const INK: RGBColor = RGBColor(1, 2, 3);
const INK_WRITTEN: &str = "#010203";

/// Colours that stand out from white and from black.
pub const COLOURS: [&str; 4] = ["#3b82f6", "#e8770c", "#10a37f", "#b266e0"];
const PENS: [RGBColor; 4] = [
    RGBColor(0x3b, 0x82, 0xf6),
    RGBColor(0xe8, 0x77, 0x0c),
    RGBColor(0x10, 0xa3, 0x7f),
    RGBColor(0xb2, 0x66, 0xe0),
];

/// One axis: what it spans, and where something is written.
pub struct Axis {
    pub from: f64,
    pub to: f64,
    pub marks: Vec<(f64, String)>,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (low, high): (i32, i32)) -> i32 {
        let share = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        low + (share * f64::from(high - low)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let mark = self.marks.iter().find(|(at, _)| at == value);
        mark.map_or_else(String::new, |(_, text)| text.clone())
    }
}

/// Something bad that happened.
pub const EVENT: &str = "#dc2626";
const EVENT_PEN: RGBColor = RGBColor(0xdc, 0x26, 0x26);

pub enum Style {
    Line,
    /// A line with a point at each value.
    Points,
    /// A line with its area filled.
    Area,
}

/// The drawing as an `<svg>` element. `label` is what is read out instead of it; it is ours. `None` when there is
/// nothing to draw.
pub fn plot(label: &str, x: Axis, y: Axis, lines: &[Vec<(f64, f64)>], style: &Style) -> Option<String> {
    plot_with_events(label, x, y, lines, style, &[])
}

/// As [`plot`], with an upright line at each of `events`.
pub fn plot_with_events(
    label: &str,
    x: Axis,
    y: Axis,
    lines: &[Vec<(f64, f64)>],
    style: &Style,
    events: &[f64],
) -> Option<String> {
    let spans = |axis: &Axis| axis.to > axis.from && (axis.to - axis.from).is_finite();
    if !(lines.iter().any(|line| line.len() > 1) && spans(&x) && spans(&y)) {
        return None;
    }
    let mut svg = String::new();
    // Drawing into a string has no way to fail; a chart that does is left out.
    draw(&mut svg, x, y, lines, style, events).ok()?;
    Some(framed(&svg, label))
}

fn draw(
    svg: &mut String,
    x: Axis,
    y: Axis,
    lines: &[Vec<(f64, f64)>],
    style: &Style,
    events: &[f64],
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let (floor, ceiling) = (y.from, y.to);
    let mut chart = ChartBuilder::on(&area)
        .margin(4)
        .margin_right(22)
        .margin_top(10)
        .x_label_area_size(26)
        .y_label_area_size(62)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.15))
        .axis_style(INK.mix(0.5))
        .label_style(("sans-serif", TEXT).into_font().color(&INK))
        .draw()?;
    chart.draw_series(
        events
            .iter()
            .map(|at| PathElement::new(vec![(*at, floor), (*at, ceiling)], EVENT_PEN.stroke_width(3))),
    )?;
    for (line, pen) in lines.iter().zip(PENS) {
        let stroke = pen.stroke_width(2);
        match style {
            Style::Area => {
                let area = AreaSeries::new(line.iter().copied(), floor, pen.mix(0.15)).border_style(stroke);
                chart.draw_series(area)?;
            }
            Style::Line | Style::Points => {
                chart.draw_series(LineSeries::new(line.iter().copied(), stroke))?;
            }
        }
        if matches!(style, Style::Points) {
            let points = line.iter().map(|at| Circle::new(*at, 4, pen.filled()));
            chart.draw_series(points)?;
        }
    }
    area.present()?;
    Ok(())
}

/// As wide as its place, in the text's colour, and with something to read out.
fn framed(svg: &str, label: &str) -> String {
    let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
    let label = escape(label);
    format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{label}\" xmlns=\"http://www.w3.org/2000/svg\">\n<title>{label}</title>{}",
        SIZE.0,
        SIZE.1,
        inner.replace(INK_WRITTEN, "currentColor")
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Marks at round steps (1, 2, 2.5 and 5 times powers of ten), from `from` to `to`, about `count`.
pub fn marks(from: f64, to: f64, count: f64, text: impl Fn(f64) -> String) -> Vec<(f64, String)> {
    let raw = (to - from) / count;
    if !(raw.is_finite() && raw > 0.0) {
        return Vec::new();
    }
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|n| n * power)
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(power * 10.0);
    let first = (from / step).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|n| n as f64 * step)
        .map(|at| (at, text(at)))
        .collect()
}

/// From zero to a little more than the highest value.
pub fn upward(highest: f64, text: impl Fn(f64) -> String) -> Axis {
    let to = highest * 1.08;
    Axis {
        from: 0.0,
        to,
        marks: marks(0.0, to, 5.0, text),
    }
}

/// Milliseconds as short as on an axis: `40 ms`, `2 s`.
pub fn short_time(ms: f64) -> String {
    if ms >= 1000.0 {
        format!("{} s", trimmed(ms / 1000.0))
    } else {
        format!("{} ms", trimmed(ms))
    }
}

/// At most two decimals, none that are zero.
pub fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
