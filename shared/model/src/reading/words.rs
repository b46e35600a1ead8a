//! Folded words that decide, near a number, which quantity it is or is not.

/// Months: the number before one is a day.
pub(super) const MONTHS: &[&str] = &[
    "janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre",
    "novembre", "decembre", "january", "february", "march", "april", "may", "june", "july", "august",
    "september", "october", "november", "december", "jan", "fev", "feb", "avr", "apr", "aug", "sept", "sep",
    "oct", "nov", "dec",
];
/// Units of numbers that are no readings.
pub(super) const OTHER_UNITS: &[&str] = &[
    "h", "hr", "hrs", "heure", "heures", "hour", "hours", "am", "pm", "min", "mins", "minute", "minutes",
    "cent", "cents", "ct", "cts", "an", "ans", "annee", "annees", "year", "years", "yr", "yrs", "mois",
    "month", "months", "jour", "jours", "day", "days", "semaine", "semaines", "week", "weeks", "fois",
    "times", "po", "pouce", "pouces", "inch", "inches", "cm", "mm", "km", "kg", "lb", "lbs", "pi", "pied",
    "pieds", "ft", "feet", "cad", "usd", "dollar", "dollars", "note", "notes", "cordes", "corde", "strings",
    "touches", "keys", "marteaux", "hammers", "rue", "street", "avenue", "av", "st", "boul", "pianos",
    "piano", "e", "eme", "th", "rpm", "watts", "w", "v", "volts", "ml", "l", "litres",
];
/// Words of advice and settings: the number is recommended, not measured.
pub(super) const ADVICE: &[&str] = &[
    "garder", "gardez", "gardent", "maintenir", "maintenez", "viser", "visez", "ideal", "ideale", "ideally",
    "idealement", "recommande", "recommandee", "recommandons", "recommended", "recommend", "conseille",
    "conseillee", "devrait", "devraient", "doit", "should", "must", "keep", "maintain", "target", "aim",
    "aiming", "optimal", "optimale", "objectif", "cible", "consigne", "setpoint", "entre", "between", "max",
    "min", "maximum", "minimum", "jamais", "never", "eviter", "avoid", "visee", "viser", "souhaite",
    "souhaitee", "souhaitable", "prefere", "preferable", "humidistat", "thermostat", "normalement",
    "normally", "advised", "suggest", "suggere", "goal", "hold", "try", "essayer", "essayez", "chauffer",
    "chauffez",
];
/// Words beside a percentage of something else.
pub(super) const SHARES: &[&str] = &[
    "rabais", "escompte", "remise", "reduction", "discount", "off", "taxe", "taxes", "tax", "tps", "tvq",
    "gst", "qst", "hst", "depot", "deposit", "acompte", "use", "usee", "uses", "usees", "usure", "worn",
    "wear", "travail", "work", "prix", "price", "tarif", "hausse", "baisse", "augmentation", "augmente",
    "increase", "pourboire", "tip", "satisfait", "satisfaite", "satisfied", "sur", "certain", "batterie",
    "battery", "commission", "solde", "interet", "interest", "complet", "complete", "completed", "termine",
    "done", "fini", "clients", "client", "cotton", "coton", "laine", "wool", "alcool", "alcohol", "facture",
    "invoice", "paye", "paid", "chance", "cas", "time", "temps", "moins", "plus", "less", "more", "promo",
    "promotion", "rebate", "frais", "fee", "reservoir", "tank", "eau", "water", "rempli", "plein", "full",
    "marge", "margin", "vitesse", "speed", "volume", "capacite", "capacity",
];
/// Words that name a humidity.
pub(super) const HUMIDITY_WORDS: &[&str] = &[
    "humidite", "humidity", "humid", "humide", "hum", "hr", "rh", "hygrometrie", "hygrometre", "hygrometer",
    "humidex",
];
/// Words that name a temperature.
pub(super) const TEMPERATURE_WORDS: &[&str] =
    &["temperature", "temperatures", "temp", "temps", "tempe", "thermometre", "thermometer"];
/// Words that name a pitch.
pub(super) const PITCH_WORDS: &[&str] = &[
    "accord", "accorde", "accordee", "accordes", "accorder", "accordage", "tuned", "tune", "tuning", "pitch",
    "diapason", "hauteur", "frequence", "frequency", "la",
];
/// Words that may separate a name from its number.
pub(super) const LINKS: &[&str] = &[
    "a", "au", "de", "est", "etait", "is", "was", "at", "to", "of", "the", "ambiante", "ambiant", "ambient",
    "relative", "rel", "piece", "room", "la", "le", "environ", "about", "around", "mesuree", "mesure",
    "measured", "lue", "lu", "actuelle", "current", "salle", "reading", "standard", "concert", "interieure",
    "indoor", "air", "inside", "dans", "in", "now", "up", "down", "monte", "baisse", "descendu", "remonte",
];
/// Words that may separate two readings of one room.
pub(super) const BESIDE: &[&str] = &[
    "et", "and", "avec", "with", "at", "a", "pour", "x", "the", "dans", "l", "le", "la", "au", "en", "in",
    "salon", "sous", "sol", "eglise", "salle", "piece", "chambre", "studio", "room", "basement", "church",
    "living", "hall", "scene", "stage",
];
/// Words beside a number with a degree sign that is no temperature.
pub(super) const NOT_DEGREES: &[&str] = &[
    "angle", "angles", "nord", "sud", "rue", "street", "avenue", "av", "boul", "boulevard", "road", "chemin",
    "du", "rotation",
];
/// Words before a number with a letter that is the number of a door.
pub(super) const ADDRESS_WORDS: &[&str] = &[
    "local", "salle", "chambre", "bureau", "porte", "apt", "app", "appartement", "suite", "unit", "unite",
    "room", "no", "numero", "number", "adresse", "address", "etage", "floor", "studio", "classe", "page",
    "section", "casier", "code",
];
