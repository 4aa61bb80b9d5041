//! Tables in Markdown on standard output, and plots in `docs/`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::harness::{Effort, Series, micros, micros_of};

pub struct Report {
    rounds: usize,
    /// `None` for a short run, whose numbers mean nothing.
    plots: Option<PathBuf>,
}

/// One line of a table.
pub struct Row {
    what: String,
    time: String,
    ratio: String,
}

impl Row {
    pub fn floor(series: &Series) -> Self {
        Self { what: series.name.clone(), time: micros_of(series), ratio: "floor".to_owned() }
    }

    pub fn over(series: &Series, base: &Series, what: &str) -> Self {
        let ratio = format!("{} of {what}", series.ratio_to(base));
        Self { what: series.name.clone(), time: micros_of(series), ratio }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Floor,
    Ours,
    Peer,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ours => "ours",
            Self::Peer => "peer",
        }
    }
}

/// One bar of a plot: a median, and a line from the least to the most.
pub struct Bar {
    kind: Kind,
    label: String,
    median: f64,
    range: (f64, f64),
}

impl Bar {
    fn new(kind: Kind, label: &str, series: &Series) -> Self {
        Self { kind, label: label.to_owned(), median: series.median(), range: series.range() }
    }

    pub fn floor(label: &str, series: &Series) -> Self {
        Self::new(Kind::Floor, label, series)
    }

    pub fn ours(label: &str, series: &Series) -> Self {
        Self::new(Kind::Ours, label, series)
    }

    pub fn peer(label: &str, series: &Series) -> Self {
        Self::new(Kind::Peer, label, series)
    }
}

/// One line of a plot over a number: its points are medians with their ranges.
pub struct Line<'a> {
    pub label: &'static str,
    pub ours: bool,
    pub points: Vec<(usize, &'a Series)>,
}

impl Report {
    pub fn new(effort: Effort, plots: bool) -> Self {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        Self { rounds: effort.rounds, plots: plots.then_some(docs) }
    }

    pub fn heading(&self, text: &str) {
        println!("\n## {text}\n");
    }

    pub fn text(&self, text: &str) {
        println!("{text}\n");
    }

    pub fn table(&self, rows: &[Row]) {
        self.titled("median, and its range", rows);
    }

    pub fn titled(&self, value: &str, rows: &[Row]) {
        println!("| what | {value} | ratio, and its range in {} rounds |\n| --- | ---: | --- |", self.rounds);
        for Row { what, time, ratio } in rows {
            println!("| {what} | {time} | {ratio} |");
        }
    }

    /// Times in nanoseconds as bars, in `docs/performance-{name}.svg`.
    pub fn bars(&self, name: &str, title: &str, bars: &[Bar]) -> Outcome {
        const LEFT: f64 = 250.0;
        const WIDTH: f64 = 400.0;
        const STEP: f64 = 28.0;
        let top = bars.iter().map(|bar| bar.range.1).fold(0.0, f64::max) / 1e3;
        let tick = tick(top, 5.0);
        let last = (top / tick).ceil() * tick;
        let x = |micros: f64| LEFT + WIDTH * micros / last;
        let bottom = 50.0 + STEP * bars.len() as f64;
        let mut svg = String::new();
        for number in 0..=(last / tick).round() as u32 {
            let value = f64::from(number) * tick;
            let at = x(value);
            writeln!(svg, r#"<path class="grid" d="M{at:.1} 42V{bottom:.1}"/>"#)?;
            writeln!(svg, r#"<text x="{at:.1}" y="{:.1}" class="tick middle">{}</text>"#, bottom + 16.0, short(value))?;
        }
        for (index, bar) in bars.iter().enumerate() {
            let y = 50.0 + STEP * index as f64;
            let (least, most) = (x(bar.range.0 / 1e3), x(bar.range.1 / 1e3));
            let end = x(bar.median / 1e3);
            let class = bar.kind.class();
            let middle = y + 9.0;
            writeln!(svg, r#"<text x="{:.1}" y="{:.1}" class="end">{}</text>"#, LEFT - 8.0, y + 13.0, bar.label)?;
            writeln!(svg, r#"<rect x="{LEFT}" y="{y:.1}" width="{:.1}" height="18" class="{class}"/>"#, end - LEFT)?;
            writeln!(svg, r#"<path class="range" d="M{least:.1} {middle:.1}H{most:.1}"/>"#)?;
            writeln!(svg, r#"<text x="{:.1}" y="{:.1}">{}</text>"#, most + 6.0, y + 13.0, micros(bar.median))?;
        }
        let axis = bottom + 36.0;
        writeln!(svg, r#"<text x="{:.1}" y="{axis:.1}" class="middle">µs, less is better</text>"#, LEFT + WIDTH / 2.0)?;
        self.save(name, title, LEFT + WIDTH + 90.0, axis + 14.0, &svg)
    }

    /// Values over numbers, both axes logarithmic or the vertical one from zero, in `docs/performance-{name}.svg`.
    pub fn lines(&self, name: &str, title: &str, axes: (&str, &str), scale: f64, lines: &[Line<'_>]) -> Outcome {
        const LEFT: f64 = 70.0;
        const WIDTH: f64 = 430.0;
        const TOP: f64 = 50.0;
        const HEIGHT: f64 = 220.0;
        let bottom = TOP + HEIGHT;
        let points = || lines.iter().flat_map(|line| &line.points);
        let least = points().map(|(number, _)| *number).min().ok_or("no points")?.max(1) as f64;
        let most = points().map(|(number, _)| *number).max().ok_or("no points")?.max(2) as f64;
        let highest = points().map(|(_, series)| series.range().1 / scale).fold(0.0, f64::max);
        let tick = tick(highest, 5.0);
        let last = (highest / tick).ceil() * tick;
        let x = |number: usize| LEFT + WIDTH * ((number.max(1) as f64 / least).ln() / (most / least).ln());
        let y = |value: f64| bottom - HEIGHT * (value / scale) / last;
        let mut svg = String::new();
        for number in 0..=(last / tick).round() as u32 {
            let value = f64::from(number) * tick;
            let at = y(value * scale);
            writeln!(svg, r#"<path class="grid" d="M{LEFT} {at:.1}H{:.1}"/>"#, LEFT + WIDTH)?;
            let (x, y) = (LEFT - 8.0, at + 4.0);
            writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" class="tick end">{}</text>"#, short(value))?;
        }
        let mut numbers: Vec<usize> = points().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            let (x, y) = (x(number), bottom + 16.0);
            writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" class="tick middle">{}</text>"#, grouped(number))?;
        }
        for (index, line) in lines.iter().enumerate() {
            let class = if line.ours { ["line-a", "line-c"][index % 2] } else { "line-b" };
            let mut path = String::new();
            for (index, (number, series)) in line.points.iter().enumerate() {
                let (x, at) = (x(*number), y(series.median()));
                write!(path, "{}{x:.1} {at:.1}", if index == 0 { 'M' } else { 'L' })?;
                let (low, high) = series.range();
                writeln!(svg, r#"<path class="{class}" d="M{x:.1} {:.1}V{:.1}"/>"#, y(low), y(high))?;
                writeln!(svg, r#"<circle class="{class} dot" cx="{x:.1}" cy="{at:.1}" r="3.5"/>"#)?;
            }
            writeln!(svg, r#"<path class="{class}" d="{path}"/>"#)?;
            let at = line.points.last().map_or(TOP, |(_, series)| y(series.median()));
            writeln!(svg, r#"<text x="{:.1}" y="{:.1}">{}</text>"#, LEFT + WIDTH + 12.0, at + 4.0, line.label)?;
        }
        let axis = bottom + 38.0;
        writeln!(svg, r#"<text x="{:.1}" y="{axis:.1}" class="middle">{}</text>"#, LEFT + WIDTH / 2.0, axes.0)?;
        writeln!(svg, r#"<text x="12" y="{:.1}">{}</text>"#, TOP - 10.0, axes.1)?;
        self.save(name, title, LEFT + WIDTH + 200.0, axis + 14.0, &svg)
    }

    fn save(&self, name: &str, title: &str, width: f64, height: f64, content: &str) -> Outcome {
        let Some(folder) = &self.plots else { return Ok(()) };
        let path = folder.join(format!("performance-{name}.svg"));
        std::fs::write(&path, svg(title, width, height, content))?;
        eprintln!("wrote {}", path.display());
        Ok(())
    }
}

/// Readable in light and in dark.
fn svg(title: &str, width: f64, height: f64, content: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" role="img">
<title>{title}</title>
<style>
text {{ font: 13px system-ui, sans-serif; fill: #1f2328; }}
.title {{ font-weight: 600; font-size: 15px; }}
.tick {{ font-size: 12px; fill: #59636e; }}
.middle {{ text-anchor: middle; }}
.end {{ text-anchor: end; }}
.back {{ fill: #ffffff; }}
.grid {{ stroke: #d1d9e0; fill: none; }}
.range {{ stroke: #1f2328; stroke-width: 2; }}
.floor {{ fill: #afb8c1; }}
.ours {{ fill: #2da44e; }}
.peer {{ fill: #5b8fd6; }}
.line-a, .line-b, .line-c {{ fill: none; stroke-width: 2; }}
.line-a {{ stroke: #2da44e; }}
.line-b {{ stroke: #818b98; }}
.line-c {{ stroke: #1b6f8a; }}
.line-a.dot {{ fill: #2da44e; }}
.line-b.dot {{ fill: #818b98; }}
.line-c.dot {{ fill: #1b6f8a; }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #f0f6fc; }}
.tick {{ fill: #9198a1; }}
.back {{ fill: #0d1117; }}
.grid {{ stroke: #3d444d; }}
.range {{ stroke: #f0f6fc; }}
.floor {{ fill: #656c76; }}
}}
</style>
<rect class="back" width="100%" height="100%"/>
<text x="12" y="24" class="title">{title}</text>
{content}</svg>
"##
    )
}

/// The distance of the lines of a grid: 1, 2 or 5 times a power of ten.
fn tick(most: f64, lines: f64) -> f64 {
    let rough = most / lines;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `10 000`
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
