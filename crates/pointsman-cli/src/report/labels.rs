//! Puts names beside the marks of a plot so that none covers another.
//!
//! Greedy: the caller's order is the order of importance, each label takes the best free place
//! around its mark, and one that finds none is dropped rather than printed over something. Text
//! is measured by a table of generous letter widths, since the reader's font is not known.

use serde::Serialize;

/// The height of a line of text in the plot, in its units.
pub(super) const TEXT_HEIGHT: f64 = 14.0;
const FONT_SIZE: f64 = 12.0;
const BASELINE_DROP: f64 = 4.0;
const REACHES: [f64; 8] = [4.0, 12.0, 20.0, 28.0, 38.0, 52.0, 68.0, 86.0];
const LEADER_FROM: f64 = 10.0;
const COST_OF_COVERING: f64 = 9.0;
const COST_OF_CROSSING: f64 = 6.0;
const NEAR: f64 = 4.0;
/// Right, left, above, below, then the corners, then between; earlier is nicer.
const DIRECTIONS: [(f64, f64); 12] = [
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
    (1.0, -1.0),
    (1.0, 1.0),
    (-1.0, -1.0),
    (-1.0, 1.0),
    (0.5, -1.0),
    (0.5, 1.0),
    (-0.5, -1.0),
    (-0.5, 1.0),
];

/// A place in the plot, in its units; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spot {
    /// From the left edge.
    pub(super) x: f64,
    /// From the upper edge.
    pub(super) y: f64,
}

/// An upright rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    /// The smallest `x`.
    pub(super) left: f64,
    /// The smallest `y`.
    pub(super) top: f64,
    /// The largest `x`.
    pub(super) right: f64,
    /// The largest `y`.
    pub(super) bottom: f64,
}

impl Area {
    fn around(center: Spot, half_width: f64, half_height: f64) -> Self {
        Self {
            left: center.x - half_width,
            top: center.y - half_height,
            right: center.x + half_width,
            bottom: center.y + half_height,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, spot: Spot) -> bool {
        self.left < spot.x && spot.x < self.right && self.top < spot.y && spot.y < self.bottom
    }

    fn encloses(&self, inner: &Self) -> bool {
        self.left <= inner.left
            && inner.right <= self.right
            && self.top <= inner.top
            && inner.bottom <= self.bottom
    }
}

/// A mark that wants a name beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    /// Its centre.
    pub(super) at: Spot,
    /// How far it reaches from its centre.
    pub(super) radius: f64,
    /// The name.
    pub(super) text: String,
}

/// A name in its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Label {
    /// The name.
    text: String,
    /// The left end, middle or right end of its base line, as `text_anchor` says.
    at: Spot,
    /// The value of SVG's `text-anchor`.
    text_anchor: &'static str,
    /// From the mark to the label when they are apart.
    leader: Option<(Spot, Spot)>,
    #[serde(skip)]
    area: Area,
}

/// A label for each mark, or `None` where there is no room for it inside `frame`.
///
/// `busy` are places on lines and bars, which a label covers only when it must.
pub(super) fn place(marks: &[Mark], frame: &Area, busy: &[Spot]) -> Vec<Option<Label>> {
    let mark_areas: Vec<Area> =
        marks.iter().map(|mark| Area::around(mark.at, mark.radius, mark.radius)).collect();
    let mut placed: Vec<Option<Label>> = Vec::with_capacity(marks.len());
    for (index, mark) in marks.iter().enumerate() {
        let is_free = |label: &Label| {
            let others = placed.iter().flatten();
            frame.encloses(&label.area)
                && mark_areas.iter().all(|area| !area.overlaps(&label.area))
                && others.clone().all(|other| !other.area.overlaps(&label.area))
                && others.clone().all(|other| !leader_crosses(label, &other.area))
                && others.clone().all(|other| !leader_crosses(other, &label.area))
                && mark_areas
                    .iter()
                    .enumerate()
                    .all(|(other, area)| other == index || !leader_crosses(label, area))
        };
        let best = candidates(mark)
            .filter(|(label, _)| is_free(label))
            .map(|(label, dislike)| (dislike + covering(&label, busy), label))
            .min_by(|(one, _), (other, _)| one.total_cmp(other));
        placed.push(best.map(|(_, label)| label));
    }
    placed
}

/// The width of `text`, in units of the plot; rather too wide than too narrow.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().map(letter_width).sum::<f64>() * FONT_SIZE
}

fn letter_width(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!'
        | '(' | ')' | '[' | ']' | '-' | ' ' | '/' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.96,
        'A'..='Z' | '0'..='9' | '_' => 0.68,
        ' '..='~' => 0.62,
        _ => 1.0,
    }
}

/// Every place around `mark` with how little it is liked.
fn candidates(mark: &Mark) -> impl Iterator<Item = (Label, f64)> + '_ {
    let half_width = text_width(&mark.text) / 2.0;
    let half_height = TEXT_HEIGHT / 2.0;
    REACHES.into_iter().flat_map(move |reach| {
        let mut rank = 0.0;
        DIRECTIONS.into_iter().map(move |(across, down)| {
            rank += 1.0;
            let gap = mark.radius + reach;
            let center = Spot {
                x: mark.at.x + across * (gap + half_width),
                y: mark.at.y + down * (gap + half_height),
            };
            let area = Area::around(center, half_width, half_height);
            let (text_anchor, x) = if across > 0.0 {
                ("start", area.left)
            } else if across < 0.0 {
                ("end", area.right)
            } else {
                ("middle", center.x)
            };
            let at = Spot { x: round(x), y: round(center.y + BASELINE_DROP) };
            let leader = (reach > LEADER_FROM).then(|| leader_to(mark, &area, (across, down)));
            (Label { text: mark.text.clone(), at, text_anchor, leader, area }, rank + reach)
        })
    })
}

fn leader_to(mark: &Mark, area: &Area, (across, down): (f64, f64)) -> (Spot, Spot) {
    let end = Spot {
        x: round(mark.at.x.clamp(area.left, area.right)),
        y: round(mark.at.y.clamp(area.top, area.bottom)),
    };
    let shorten = mark.radius / across.hypot(down);
    let start =
        Spot { x: round(mark.at.x + across * shorten), y: round(mark.at.y + down * shorten) };
    (start, end)
}

fn leader_crosses(label: &Label, area: &Area) -> bool {
    label.leader.is_some_and(|(from, to)| along(from, to).any(|spot| area.holds(spot)))
}

/// How much of the plot's lines the label and its leader hide.
fn covering(label: &Label, busy: &[Spot]) -> f64 {
    let covered = busy.iter().filter(|spot| label.area.holds(**spot)).map(|_| COST_OF_COVERING);
    let crossed = label
        .leader
        .into_iter()
        .flat_map(|(from, to)| along(from, to))
        .filter(|step| busy.iter().any(|spot| (spot.x - step.x).hypot(spot.y - step.y) < NEAR));
    covered.sum::<f64>() + crossed.map(|_| COST_OF_CROSSING).sum::<f64>()
}

/// Places on the line between two spots, both ends included, about four units apart.
pub(super) fn along(from: Spot, to: Spot) -> impl Iterator<Item = Spot> {
    const APART: f64 = 4.0;
    const MOST: u32 = 400;
    let length = (to.x - from.x).hypot(to.y - from.y);
    let n_steps = (length / APART).ceil().clamp(1.0, f64::from(MOST));
    (0..=MOST).map(f64::from).take_while(move |step| *step <= n_steps).map(move |step| Spot {
        x: from.x + (to.x - from.x) * step / n_steps,
        y: from.y + (to.y - from.y) * step / n_steps,
    })
}

/// A tenth of a unit is finer than any screen shows.
pub(super) fn round(coordinate: f64) -> f64 {
    (coordinate * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Area = Area { left: 0.0, top: 0.0, right: 400.0, bottom: 300.0 };

    fn mark(x: f64, y: f64, text: &str) -> Mark {
        Mark { at: Spot { x, y }, radius: 5.0, text: text.to_owned() }
    }

    #[track_caller]
    fn check_no_overlap(marks: &[Mark], at_least: usize) {
        let labels = place(marks, &FRAME, &[]);
        let placed: Vec<&Label> = labels.iter().flatten().collect();
        assert!(placed.len() >= at_least, "{} of {} labels placed", placed.len(), marks.len());
        for (index, one) in placed.iter().enumerate() {
            assert!(FRAME.encloses(&one.area), "{} leaves the frame", one.text);
            for mark in marks {
                let covered = Area::around(mark.at, mark.radius, mark.radius);
                assert!(!one.area.overlaps(&covered), "{} covers {}", one.text, mark.text);
            }
            for other in placed.iter().skip(index + 1) {
                assert!(!one.area.overlaps(&other.area), "{} covers {}", one.text, other.text);
                assert!(!leader_crosses(one, &other.area), "{} crosses {}", one.text, other.text);
                assert!(!leader_crosses(other, &one.area), "{} crosses {}", other.text, one.text);
            }
        }
    }

    #[test]
    fn labels_do_not_overlap() {
        check_no_overlap(&[mark(200.0, 150.0, "alone")], 1);
        check_no_overlap(&[mark(398.0, 2.0, "in the corner")], 1);
        let twins = [mark(200.0, 150.0, "one"), mark(200.0, 150.0, "the same place")];
        check_no_overlap(&twins, 2);
        let row: Vec<Mark> = (0..6)
            .map(|index| mark(150.0 + 12.0 * f64::from(index), 150.0, "a-long-model-name"))
            .collect();
        check_no_overlap(&row, 4);
        let crowd: Vec<Mark> = (0..64)
            .map(|index| {
                let step = f64::from(index);
                mark(200.0 + (step * 37.0) % 90.0, 100.0 + (step * 53.0) % 80.0, "crowded-model")
            })
            .collect();
        check_no_overlap(&crowd, 4);
    }

    #[test]
    fn a_label_leaves_a_line_free_when_it_can() {
        let line: Vec<Spot> =
            along(Spot { x: 0.0, y: 150.0 }, Spot { x: 400.0, y: 150.0 }).collect();
        let labels = place(&[mark(200.0, 150.0, "model")], &FRAME, &line);
        let label = labels[0].as_ref().unwrap();
        assert!(line.iter().all(|spot| !label.area.holds(*spot)));
    }

    #[test]
    fn a_label_without_room_is_dropped() {
        assert_eq!(place(&[mark(200.0, 150.0, &"x".repeat(99))], &FRAME, &[]), [None]);
    }
}
