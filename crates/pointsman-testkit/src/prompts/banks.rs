//! Words that any grammar may use: people, places, things, amounts, identifiers.
//!
//! All of it is invented or everyday vocabulary. Entries may hold slots themselves, so a date or
//! an order number is a bank of one. Weakness: the vocabulary is a few hundred words, far less
//! than real traffic has, so a text model sees fewer rare words here than it will in earnest.

/// The entries behind a slot's name.
pub(super) fn bank(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "name" => &["‹first_name› ‹last_name›"],
        "first_name" => FIRST_NAMES,
        "last_name" => LAST_NAMES,
        "firm" => {
            &["‹firm_first› ‹firm_last›", "‹last_name› ‹firm_last›", "‹firm_first›‹firm_end›"]
        }
        "firm_first" => FIRM_FIRST,
        "firm_last" => FIRM_LAST,
        "firm_end" => &["ware", "works", "line", "stead", "mark"],
        "article" => &[
            "‹quality› ‹thing›",
            "‹thing› ‹series›‹2..98›",
            "‹quality› ‹thing› ‹series›‹100..980›",
        ],
        "quality" => QUALITIES,
        "thing" => THINGS,
        "series" => &["A", "K", "M", "R", "T", "X", "Pro ", "Mk "],
        "city" => CITIES,
        "region" => REGIONS,
        "weekday" => &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
        "month" => MONTHS,
        "date" => {
            &["‹1..28› ‹month› ‹2023..2026›", "‹2023..2026›-0‹1..9›-‹10..28›", "‹month› ‹1..28›"]
        }
        "clock" => &["‹8..19›:‹10..59›", "‹6..11›.‹10..59› am"],
        "money" => &[
            "‹12..980›.‹10..99› euros",
            "$‹15..940›",
            "‹2..89›,‹100..999› pounds",
            "EUR ‹20..7800›",
        ],
        "percent" => &["‹2..38› percent", "‹1..19›.‹1..9› %"],
        "order" => &["‹10000..99999›", "‹letter›‹letter›-‹1000..9999›", "#‹200..900›-‹1000..9999›"],
        "letter" => &["A", "B", "C", "D", "F", "H", "K", "L", "N", "P", "R", "T", "W"],
        "mail" => &["‹handle›@‹domain›.example", "‹handle›.‹handle›@‹domain›.example"],
        "handle" => HANDLES,
        "domain" => &["northmail", "postbox", "quaymail", "fieldpost", "inkwell"],
        "department" => DEPARTMENTS,
        "role" => ROLES,
        "industry" => INDUSTRIES,
        "feeling" => FEELINGS,
        "hobby" => HOBBIES,
        "food" => FOODS,
        "animal" => ANIMALS,
        "place" => PLACES,
        "service" => SERVICES,
        "table" => TABLES,
        "column" => COLUMNS,
        "function" => &["‹verb›_‹object›", "‹verb›_‹object›_‹object›"],
        "verb" => VERBS,
        "object" => OBJECTS,
        "fruit" => &["apples", "pears", "plums", "cherries", "lemons", "apricots", "figs"],
        "tone" => TONES,
        "host" => &["‹service›-‹1..24›", "node‹10..99›", "‹service›.‹city_code›‹1..6›"],
        "city_code" => &["osl", "lis", "gdn", "trn", "cph", "vlc"],
        "hour" => &["0‹0..9›", "1‹0..9›", "2‹0..3›"],
        "minute" => &["‹10..59›", "0‹0..9›"],
        "english" => super::language::ENGLISH,
        "french" => super::language::FRENCH,
        "german" => super::language::GERMAN,
        "spanish" => super::language::SPANISH,
        _ => return None,
    })
}

const FIRST_NAMES: &[&str] = &[
    "Ada", "Anton", "Bela", "Carla", "Dario", "Edith", "Emil", "Farah", "Greta", "Hamid", "Ines",
    "Ivo", "Jana", "Jonas", "Kaya", "Lars", "Leila", "Lucia", "Marek", "Mina", "Nadia", "Noor",
    "Oskar", "Paula", "Priya", "Rafael", "Rosa", "Samir", "Selma", "Tariq", "Teresa", "Ulla",
    "Vera", "Viktor", "Wanda", "Yusuf", "Zoe", "Amara", "Bruno", "Celia", "Henrik", "Irma",
];

const LAST_NAMES: &[&str] = &[
    "Abendroth",
    "Bellini",
    "Brandt",
    "Castell",
    "Dahl",
    "Duarte",
    "Eklund",
    "Faber",
    "Fontaine",
    "Grabow",
    "Haddad",
    "Holm",
    "Iversen",
    "Kessler",
    "Koval",
    "Lindqvist",
    "Marchetti",
    "Mensah",
    "Nakano",
    "Novak",
    "Okafor",
    "Petit",
    "Quist",
    "Rahman",
    "Rossi",
    "Sandoval",
    "Silva",
    "Tanaka",
    "Thorne",
    "Ueda",
    "Valdez",
    "Weiss",
    "Yilmaz",
];

const FIRM_FIRST: &[&str] = &[
    "Alder", "Amber", "Beacon", "Birch", "Brook", "Cobalt", "Copper", "Dune", "Elm", "Falcon",
    "Fern", "Glacier", "Granite", "Hazel", "Juniper", "Lark", "Maple", "North", "Onyx", "Orchard",
    "Pebble", "Quay", "Rowan", "Saffron", "Slate", "Sparrow", "Tidal", "Umber", "Willow", "Zephyr",
];

const FIRM_LAST: &[&str] = &[
    "Bakery",
    "Freight",
    "Insurance",
    "Instruments",
    "Energy",
    "Outfitters",
    "Logistics",
    "Media",
    "Optics",
    "Pharmacy",
    "Rentals",
    "Software",
    "Telecom",
    "Textiles",
    "Travel",
    "Water",
];

const QUALITIES: &[&str] = &[
    "folding",
    "cordless",
    "stainless",
    "compact",
    "outdoor",
    "smart",
    "silent",
    "portable",
    "waterproof",
    "wireless",
    "adjustable",
    "insulated",
    "solar",
    "classic",
];

const THINGS: &[&str] = &[
    "kettle",
    "backpack",
    "desk lamp",
    "drill",
    "router",
    "tent",
    "office chair",
    "keyboard",
    "camera",
    "air pump",
    "blender",
    "thermostat",
    "bicycle light",
    "headset",
    "toaster",
    "water filter",
    "projector",
    "rain jacket",
    "suitcase",
    "printer",
    "door lock",
    "radio",
];

const CITIES: &[&str] = &[
    "Lisbon", "Gdansk", "Turin", "Oslo", "Leeds", "Ghent", "Graz", "Porto", "Malmo", "Bilbao",
    "Bremen", "Nantes", "Cork", "Tampere", "Zagreb", "Lyon", "Utrecht", "Valencia", "Brno", "Bern",
];

const REGIONS: &[&str] = &[
    "the northern region",
    "the coastal towns",
    "the capital",
    "the eastern districts",
    "the islands",
    "the border area",
    "the river valley",
    "the industrial belt",
];

const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const HANDLES: &[&str] = &[
    "info", "sales", "anna", "m.klein", "office", "tom77", "j_roth", "billing", "lena", "p.ferro",
    "orders", "kim", "service", "olaf", "rina", "team4",
];

const DEPARTMENTS: &[&str] = &[
    "finance",
    "procurement",
    "customer care",
    "the warehouse",
    "legal",
    "marketing",
    "payroll",
    "quality control",
    "the night shift",
    "field service",
    "product design",
    "compliance",
];

const ROLES: &[&str] = &[
    "project manager",
    "nurse",
    "accountant",
    "teacher",
    "store owner",
    "plant engineer",
    "editor",
    "data analyst",
    "student",
    "architect",
];

const INDUSTRIES: &[&str] = &[
    "shipping",
    "hospitality",
    "retail banking",
    "renewable energy",
    "publishing",
    "dairy farming",
    "machine tools",
    "public transport",
    "home insurance",
    "furniture",
    "online education",
];

const FEELINGS: &[&str] = &[
    "annoyed",
    "disappointed",
    "a bit worried",
    "confused",
    "quite happy",
    "impatient",
    "grateful",
    "surprised",
    "tired of waiting",
    "curious",
];

const HOBBIES: &[&str] = &[
    "bird watching",
    "baking bread",
    "rowing",
    "chess",
    "pottery",
    "trail running",
    "repairing old radios",
    "gardening",
    "sketching",
    "bouldering",
    "astronomy",
    "knitting",
];

const FOODS: &[&str] = &[
    "lentil soup",
    "plum cake",
    "fried rice",
    "goulash",
    "pancakes",
    "mushroom risotto",
    "potato salad",
    "flatbread",
    "fish stew",
    "dumplings",
    "ratatouille",
    "apple strudel",
];

const ANIMALS: &[&str] = &[
    "a grey cat",
    "an old dog",
    "a magpie",
    "two goats",
    "a hedgehog",
    "a carrier pigeon",
    "a lost otter",
    "a donkey",
    "a very small owl",
];

const PLACES: &[&str] = &[
    "a lighthouse",
    "a night train",
    "an abandoned mill",
    "a village bakery",
    "a harbour office",
    "a mountain hut",
    "a flooded library",
    "a research station",
    "a repair shop",
    "an orchard",
];

const SERVICES: &[&str] = &[
    "billing",
    "search",
    "checkout",
    "auth",
    "mailer",
    "ingest",
    "catalog",
    "payments",
    "gateway",
    "scheduler",
    "inventory",
    "exports",
];

const TABLES: &[&str] = &[
    "orders",
    "customers",
    "shipments",
    "invoices",
    "sessions",
    "returns",
    "employees",
    "tickets",
    "subscriptions",
    "reviews",
    "payments",
    "contracts",
];

const COLUMNS: &[&str] = &[
    "created_at",
    "status",
    "amount",
    "region",
    "customer_id",
    "quantity",
    "discount",
    "priority",
    "warehouse_id",
    "currency",
    "rating",
    "unit_price",
    "country",
];

const VERBS: &[&str] = &[
    "load", "merge", "parse", "count", "filter", "group", "render", "send", "split", "validate",
    "sync", "rank", "trim", "collect", "resolve", "encode", "schedule", "refund",
];

const OBJECTS: &[&str] = &[
    "orders", "users", "rows", "invoices", "events", "files", "tokens", "batches", "tickets",
    "records", "slots", "prices", "routes", "messages", "pages", "labels", "items",
];

const TONES: &[&str] = &[
    "friendly",
    "formal",
    "matter-of-fact",
    "warm but firm",
    "apologetic",
    "cheerful",
    "concise",
    "neutral",
    "encouraging",
];
