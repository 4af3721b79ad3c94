//! The terms of rows, by their places in a table of weights.

use crate::{design::Design, idf::unit_idf, outcomes::narrow};
use pointsman_core::{scorer::SQUARED_IDF_STEPS, units::as_float};

/// Places in as few bytes as they fit in: every pass over a matrix reads them twice.
#[derive(Debug)]
pub(crate) enum Places {
    Short(Vec<u16>),
    Long(Vec<u32>),
}

/// A place in a table of weights.
pub(crate) trait Place: Copy + Into<u32> + Send + Sync {
    /// A place that fits.
    fn of(place: u32) -> Self;

    /// All of them.
    fn together(places: Vec<Self>) -> Places;

    /// As an index.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn index(self) -> usize {
        self.into() as usize
    }
}

impl Place for u16 {
    #[expect(clippy::cast_possible_truncation, reason = "there are no more places")]
    fn of(place: u32) -> Self {
        place as Self
    }

    fn together(places: Vec<Self>) -> Places {
        Places::Short(places)
    }
}

impl Place for u32 {
    fn of(place: u32) -> Self {
        place
    }

    fn together(places: Vec<Self>) -> Places {
        Places::Long(places)
    }
}

/// Adds a number to the sum of each of some places.
pub(crate) fn add_to(sums: &mut [f32], places: &[impl Place], value: f32) {
    for place in places {
        sums[place.index()] += value;
    }
}

/// The rows of a matrix of terms, of which those that occur once stand apart.
#[derive(Debug)]
pub(crate) struct RowTerms {
    /// Row `i` has the places `starts[i]..starts[i + 1]`.
    pub(crate) starts: Vec<usize>,
    pub(crate) places: Places,
    /// One over the length of each row's vector of inverse document frequencies.
    pub(crate) factors: Vec<f32>,
    /// Terms that occur once: row and bucket.
    pub(crate) single: Vec<(u32, u32)>,
    /// What they add to the square of their row's length, over that square.
    pub(crate) single_squares: Vec<f32>,
}

/// What the rows of a design make of its buckets.
pub(crate) struct Frequencies<'a> {
    /// By bucket, how many rows have it.
    pub(crate) n_rows: &'a [u32],
    /// Of those, the squared inverse document frequency as artifacts store it.
    pub(crate) squared_idf: &'a [u16],
    /// Buckets with two rows and more, the most frequent first.
    pub(crate) shared: &'a [u32],
}

impl RowTerms {
    /// Of the given rows of a design; and of each shared term the sum of the factors of its rows.
    pub(crate) fn new(
        design: &Design,
        rows: &[u32],
        frequencies: &Frequencies<'_>,
    ) -> (Self, Vec<f64>) {
        if u16::try_from(frequencies.shared.len()).is_ok() {
            Self::by::<u16>(design, rows, frequencies)
        } else {
            Self::by::<u32>(design, rows, frequencies)
        }
    }

    /// Of each of so many terms, the sum over its rows of the squares of their factors.
    pub(crate) fn sums_of_squares(&self, n_terms: usize) -> Vec<f64> {
        match &self.places {
            Places::Short(places) => self.squares_by(places, n_terms),
            Places::Long(places) => self.squares_by(places, n_terms),
        }
    }

    fn squares_by(&self, places: &[impl Place], n_terms: usize) -> Vec<f64> {
        let mut sums = vec![0.0_f64; n_terms];
        for (span, factor) in self.starts.windows(2).zip(&self.factors) {
            for place in &places[span[0]..span[1]] {
                sums[place.index()] += f64::from(factor * factor);
            }
        }
        sums
    }

    fn by<P: Place>(
        design: &Design,
        rows: &[u32],
        frequencies: &Frequencies<'_>,
    ) -> (Self, Vec<f64>) {
        let slots = Slots::<P>::new(frequencies);
        let all: usize = frequencies.n_rows.iter().map(|&n| n as usize).sum();
        let n_single = frequencies.n_rows.iter().filter(|n| **n == 1).count();
        let longest = rows.iter().map(|&row| design.terms(row as usize).len()).max().unwrap_or(0);
        // A row's terms stand there whole before those that occur once are taken out again.
        let mut places: Vec<P> = Vec::with_capacity(all - n_single + longest);
        let mut read = Self {
            starts: Vec::with_capacity(rows.len() + 1),
            places: Places::Short(Vec::new()),
            factors: Vec::with_capacity(rows.len()),
            single: Vec::with_capacity(n_single),
            single_squares: vec![0.0; rows.len()],
        };
        let mut sums = vec![0.0_f64; frequencies.shared.len()];
        read.starts.push(0);
        for (index, &row) in (0_u32..).zip(rows) {
            let first = places.len();
            let (squared, n_single) =
                slots.push((index, design.terms(row as usize)), &mut places, &mut read.single);
            let squared = as_float(squared) / SQUARED_IDF_STEPS;
            let factor = if squared == 0.0 { 0.0 } else { narrow(1.0 / squared.sqrt()) };
            read.factors.push(factor);
            read.starts.push(places.len());
            for place in &places[first..] {
                sums[place.index()] += f64::from(factor);
            }
            for _ in 0..n_single {
                let idf = unit_idf(slots.single);
                read.single_squares[index as usize] += narrow(idf * idf / squared);
            }
        }
        read.places = P::together(places);
        (read, sums)
    }
}

/// Where the numbers of a bucket stand. A row's terms look all of this up, so it is as small as it
/// can be.
struct Slots<P> {
    /// By bucket. Those without a place of their own, because they occur once, have the first after
    /// the others; of those that never occur it means nothing.
    places: Vec<P>,
    /// The squared inverse document frequency of each place, and of terms that occur once.
    squared: Vec<u16>,
    single: u16,
}

impl<P: Place> Slots<P> {
    fn new(frequencies: &Frequencies<'_>) -> Self {
        let Frequencies { n_rows, squared_idf, shared } = frequencies;
        let none = (0_u32..).zip(*shared).map(|(place, _)| place + 1).last().unwrap_or(0);
        let mut places = vec![P::of(none); squared_idf.len()];
        for (place, &bucket) in (0_u32..).zip(*shared) {
            places[bucket as usize] = P::of(place);
        }
        let once = n_rows.iter().position(|&n| n == 1);
        let single = once.map_or(0, |bucket| squared_idf[bucket]);
        let mut squared: Vec<u16> =
            shared.iter().map(|&bucket| squared_idf[bucket as usize]).collect();
        squared.push(single);
        Self { places, squared, single }
    }

    /// Adds the places of a row's terms, and to `single` those that occur once; the square of the
    /// row's length in the steps of squared frequencies, and how many occur once.
    fn push(
        &self,
        (row, terms): (u32, &[u32]),
        places: &mut Vec<P>,
        single: &mut Vec<(u32, u32)>,
    ) -> (u64, usize) {
        let first = places.len();
        let place = |term: &u32| self.places[*term as usize];
        places.extend(terms.iter().map(place));
        let none = self.squared.len() - 1;
        let (mut squared, mut n_single) = (0, 0);
        for place in &places[first..] {
            squared += u64::from(self.squared[place.index()]);
            n_single += usize::from(place.index() == none);
        }
        if 0 < n_single {
            places.truncate(first);
            for term in terms {
                match place(term) {
                    shared if shared.index() < none => places.push(shared),
                    _ => single.push((row, *term)),
                }
            }
        }
        (squared, n_single)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{design::DesignBuilder, idf::squared_idf};
    use pointsman_core::{
        features::{Bigrams, FeatureSchema},
        request::Request,
    };

    #[test]
    fn places_take_two_bytes_as_long_as_they_fit() {
        let design = DesignBuilder::new(FeatureSchema::new(17, Bigrams::With).unwrap()).finish();
        let (n_rows, squared_idf) = (vec![0; 1 << 17], vec![1; 1 << 17]);
        for (n_shared, is_short) in [(0_u32, true), (65_535, true), (65_536, false)] {
            let shared: Vec<u32> = (0..n_shared).collect();
            let of = Frequencies { n_rows: &n_rows, squared_idf: &squared_idf, shared: &shared };
            let (terms, _) = RowTerms::new(&design, &[], &of);
            assert_eq!(matches!(terms.places, Places::Short(_)), is_short, "{n_shared}");
        }
    }

    #[test]
    fn rows_have_their_terms_whatever_bytes_places_take() {
        let mut builder = DesignBuilder::new(FeatureSchema::new(12, Bigrams::With).unwrap());
        for index in 0..60 {
            let colour = ["red", "green", "blue"][index % 3];
            let once = "x".repeat(index);
            builder.push(&Request::from_prompt(&format!("often {colour} once{once}")));
        }
        builder.push(&Request::from_prompt(""));
        let (design, rows) = (builder.finish(), (0..61).collect::<Vec<u32>>());
        let mut n_rows = vec![0_u32; design.schema().n_buckets()];
        for &term in rows.iter().flat_map(|&row| design.terms(row as usize)) {
            n_rows[term as usize] += 1;
        }
        let squared_idf = squared_idf(rows.len(), &n_rows);
        let shared = (0_u32..).zip(&n_rows).filter(|(_, n)| 1 < **n);
        let shared: Vec<u32> = shared.map(|(bucket, _)| bucket).collect();
        let of = Frequencies { n_rows: &n_rows, squared_idf: &squared_idf, shared: &shared };
        let (short, short_sums) = RowTerms::by::<u16>(&design, &rows, &of);
        let (long, long_sums) = RowTerms::by::<u32>(&design, &rows, &of);
        let (Places::Short(few), Places::Long(many)) = (&short.places, &long.places) else {
            panic!("widths are those that were asked for");
        };
        assert!(few.iter().map(|&place| u32::from(place)).eq(many.iter().copied()));
        assert_eq!((&short.starts, &short.factors), (&long.starts, &long.factors));
        assert_eq!((&short.single, &short.single_squares), (&long.single, &long.single_squares));
        assert_eq!(short_sums, long_sums);
        for (row, span) in short.starts.windows(2).enumerate() {
            let of_row = short.single.iter().filter(|(at, _)| *at as usize == row);
            let places = few[span[0]..span[1]].iter().map(|&place| shared[usize::from(place)]);
            let mut found: Vec<u32> = places.chain(of_row.map(|&(_, bucket)| bucket)).collect();
            let mut expected = design.terms(row).to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "row {row}");
        }
        assert!(!short.single.is_empty());
    }
}
