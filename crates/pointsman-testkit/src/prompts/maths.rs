//! Sums in words and in symbols.

use super::{Grammar, Layout};

pub(super) const WORD_PROBLEM: Grammar = Grammar {
    topics: &[
        "a market stall with ‹20..90› kilos of ‹fruit›",
        "a school trip to ‹city› with ‹18..64› pupils",
        "a water tank of ‹200..900› litres",
        "two trains between ‹city› and ‹city›, ‹120..640› km apart",
        "a loan of ‹money› at ‹percent›",
        "a bakery order of ‹30..400› rolls",
        "a rowing boat in a current of ‹2..6› km per hour",
        "an alloy of three metals weighing ‹12..90› kg",
        "an urn with ‹4..12› red and ‹3..15› white balls",
    ],
    openings: &[
        "Solve this step by step. There is ‹topic›.",
        "Homework question about ‹topic›.",
        "‹first_name› and ‹first_name› deal with ‹topic›.",
        "Please check my calculation for ‹topic›.",
    ],
    layout: Layout::Prose,
    material: &[
        "On ‹weekday› a share of 1/‹3..8› is used up.",
        "Each unit costs ‹2..14› euros and ‹5..40› cents.",
        "‹first_name› takes ‹3..19› more than ‹first_name›.",
        "It begins at ‹clock› and lasts ‹2..9› hours.",
        "After ‹2..6› days ‹percent› is lost.",
        "There is a discount of ‹percent› above ‹10..60› pieces.",
        "A helper works ‹2..4› times as fast.",
    ],
    n_material: (1, 4),
    plain_demands: &[
        "How much is left at the end?",
        "Give the answer with its unit.",
        "What does each of them pay?",
        "Show every step.",
        "Round to one decimal.",
    ],
    hard_demands: &[
        "Then find the probability that both draws differ, given that at least one is red.",
        "The rate falls linearly with the remaining volume, so set up and solve the differential equation.",
        "If the total exceeds ‹100..900›, the discount applies only to the excess, unless it is ‹weekday›, when it applies to everything.",
        "Find all integer solutions and prove that there are no others.",
        "Work backwards from the final balance through ‹3..7› compounding periods with alternating rates.",
        "Minimise the cost under both constraints and name the shadow price of the tighter one.",
    ],
    closings: &[
        "I want to understand it.",
        "Only the number at the end.",
        "It is for year ‹6..11›.",
    ],
};

pub(super) const ALGEBRA: Grammar = Grammar {
    topics: &[
        "‹2..19›x + ‹3..90› = ‹20..400›",
        "‹2..9›(x - ‹2..14›) = ‹3..8›x + ‹5..60›",
        "x^2 - ‹3..24›x + ‹2..80› = 0",
        "the system ‹2..9›x + ‹2..9›y = ‹10..90›, x - ‹2..7›y = ‹1..9›",
        "log_‹2..5›(x + ‹1..20›) = ‹2..5›",
        "the 3 by 3 matrix [[‹1..9›,‹0..5›,‹1..4›],[‹0..3›,‹1..9›,‹0..2›],[‹1..5›,‹0..6›,‹2..9›]]",
        "the recurrence a(n+2) = ‹2..6›a(n+1) - ‹1..9›a(n)",
        "the polynomial x^4 + ‹2..9›x^3 - ‹3..30›x + ‹1..12› over the integers mod ‹5..13›",
    ],
    openings: &[
        "Consider ‹topic›.",
        "Solve or simplify: ‹topic›.",
        "I am stuck with ‹topic›.",
        "Exercise ‹1..9›.‹1..40›: ‹topic›.",
    ],
    layout: Layout::Prose,
    material: &[],
    n_material: (0, 0),
    plain_demands: &[
        "Show the steps.",
        "Check the result by inserting it.",
        "Give an exact value, not a decimal.",
        "What is the value for x = ‹2..30›?",
    ],
    hard_demands: &[
        "Determine for which real parameter k it has exactly ‹1..3› solutions.",
        "Decide whether it is diagonalisable, with a proof that does not use eigenvectors explicitly.",
        "Give a closed form and an asymptotic bound with the constant.",
        "Factor it over the Gaussian integers as well.",
        "Show that the map is an isomorphism if and only if the discriminant is not ‹2..40›.",
        "Estimate the conditioning when the last coefficient is perturbed by 10^-‹3..9›.",
    ],
    closings: &[
        "Write plain text, no markup.",
        "Keep the explanation short.",
        "It is for an exam on ‹weekday›.",
    ],
};
