//! Folded words that decide, near a number, which quantity it is.

/// Months: the number before one is a day.
pub(super) const MONTHS: &[&str] = &[
    "janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre",
    "novembre", "decembre", "january", "february", "march", "april", "may", "june", "july", "august",
    "september", "october", "november", "december", "jan", "janv", "fev", "fevr", "feb", "avr", "apr",
    "juil", "aug", "sept", "sep", "oct", "nov", "dec",
];
/// Units of numbers that are no readings.
pub(super) const OTHER_UNITS: &[&str] = &[
    "h", "hr", "hrs", "heure", "heures", "hour", "hours", "am", "pm", "min", "mins", "minute", "minutes",
    "cent", "cents", "ct", "cts", "an", "ans", "annee", "annees", "year", "years", "yr", "yrs", "mois",
    "month", "months", "jour", "jours", "day", "days", "semaine", "semaines", "week", "weeks", "fois",
    "times", "po", "pouce", "pouces", "inch", "inches", "cm", "mm", "km", "kg", "g", "lb", "lbs", "pi",
    "pied", "pieds", "ft", "feet", "cad", "usd", "dollar", "dollars", "note", "notes", "cordes", "corde",
    "strings", "touches", "touche", "keys", "key", "marteaux", "hammers", "rue", "street", "avenue", "av",
    "st", "boul", "boulevard", "chemin", "rang", "pianos", "piano", "e", "eme", "th", "rpm", "watts", "w",
    "v", "volts", "ml", "l", "litre", "litres", "chaises", "eleves", "personnes", "people", "students",
    "dampers", "feutres", "pins", "chevilles", "visites", "visits", "accords", "tunings", "gal", "gallons",
    "kwh", "octaves", "barres", "tiges", "places", "seats", "marches", "steps",
];
/// Words beside a percentage of something else.
pub(super) const SHARES: &[&str] = &[
    "soundboard", "pinblock", "sommier", "rabais", "escompte", "remise", "reduction", "discount", "off",
    "taxe", "taxes", "tax", "tps", "tvq", "gst", "qst", "hst", "depot", "deposit", "acompte", "use", "usee",
    "uses", "usees", "usure", "worn", "wear", "travail", "work", "prix", "price", "tarif", "hausse",
    "baisse", "augmentation", "augmente", "increase", "pourboire", "tip", "satisfait", "satisfaite",
    "satisfied", "sur", "certain", "batterie", "battery", "pile", "commission", "solde", "interet",
    "interest", "complet", "complete", "completed", "termine", "done", "fini", "finie", "finished",
    "clients", "client", "cotton", "coton", "laine", "wool", "alcool", "alcohol", "facture", "invoice",
    "paye", "paid", "chance", "chances", "cas", "moins", "plus", "less", "more", "promo", "promotion",
    "rebate", "frais", "fee", "reservoir", "tank", "eau", "water", "rempli", "remplie", "plein", "pleine",
    "full", "filled", "empty", "vide", "marge", "margin", "vitesse", "speed", "volume", "capacite",
    "capacity", "marteaux", "hammers", "feutres", "felts", "pluie", "rain", "probabilite", "probability",
    "versement", "paiement", "payment", "avance", "credit", "surcharge", "supplement", "restant",
    "remaining", "cheaper", "cher", "chere", "rouille", "rouillees", "efficacite", "puissance", "power",
    "gras", "polissage", "recouvert", "progres", "progress", "note", "reussite", "cacao", "partage",
    "tension",
];
/// Words that name a humidity.
pub(super) const HUMIDITY_WORDS: &[&str] = &[
    "humidite", "humidity", "humid", "humide", "hum", "humi", "hr", "rh", "hygrometrie", "hygrometre",
    "hygrometer", "hygro",
];
/// Words that say how dry or damp the air is: a percentage near one is the humidity.
pub(super) const DRYNESS_WORDS: &[&str] = &[
    "sec", "seche", "secs", "seches", "secheresse", "dry", "dryness", "moite", "damp", "dampness", "moist",
    "humides",
];
/// Words beside a small percentage that is the moisture of wood.
pub(super) const WOOD_WORDS: &[&str] = &[
    "bois", "wood", "wooden", "sommier", "pinblock", "block", "soundboard", "table", "chevalet", "bridge",
    "epinette", "spruce", "erable", "maple", "moisture", "teneur", "pointes", "mc", "lumber", "planche",
];
/// Words that name a hygrometer, on which a percentage is read.
pub(super) const HYGROMETERS: &[&str] = &["hygro", "hygrometre", "hygrometer", "hygrometrie", "hygros"];
/// Words that begin a cause or a concession, which says nothing about what a percentage is a share of.
pub(super) const CAUSES: &[&str] = &[
    "malgre", "despite", "apres", "after", "meme", "even", "grace", "thanks", "because", "car", "parce",
    "cause", "due", "depuis", "since",
];
/// Words that name a temperature.
pub(super) const TEMPERATURE_WORDS: &[&str] =
    &["temperature", "temperatures", "temp", "temps", "tempe", "tmp", "thermometre", "thermometer", "thermo"];
/// Words that name a pitch.
pub(super) const PITCH_WORDS: &[&str] = &[
    "accord", "accorde", "accordee", "accordes", "accorder", "accordage", "tuned", "tune", "tuning", "pitch",
    "diapason", "diap", "hauteur", "frequence", "frequency", "freq", "la", "hz", "hertz", "ton", "pitched",
    "reaccorde", "preaccord", "retuned",
];
/// Words after which `à 440` or `at 440` is the pitch of the piano.
pub(super) const PITCH_STATES: &[&str] = &[
    "sonnait", "sonne", "remis", "trouve", "trouvee", "found", "laisse", "laissee", "left", "remonte",
    "remontee", "monte", "montee", "raised", "raise", "brought", "ramene", "ramenee", "stable", "tient",
    "tenu", "tenait", "holding", "holds", "held", "reste", "arrive", "arrivee", "arrival", "was", "etait",
    "is", "est", "mis", "mise", "set", "baisse", "descendu", "descendue", "redescendu", "lowered", "sits",
    "sitting", "piano", "corrige", "corrigee", "corrected", "ajuste", "adjusted", "retabli", "revenu",
    "stabilise", "arrete", "stopped",
];
/// Words that may separate a name from its number.
pub(super) const LINKS: &[&str] = &[
    "dit", "correcte", "correct", "stable", "normale", "normal", "bonne", "confortable", "env", "a", "au",
    "de", "du", "est", "etait", "is", "was", "at", "to", "of", "the", "ambiante", "ambiant", "ambient",
    "relative", "relatif", "rel", "piece", "room", "la", "le", "environ", "about", "around", "approx",
    "mesuree", "mesure", "measured", "lue", "lu", "lit", "read", "reads", "actuelle", "current", "salle",
    "reading", "standard", "concert", "interieure", "interieur", "indoor", "air", "inside", "dans", "in",
    "now", "up", "down", "monte", "baisse", "descendu", "remonte", "affiche", "indique", "shows", "showing",
    "says", "en", "dedans", "d", "l", "regulier", "complet", "fait", "fin", "fine", "ok", "niveau", "level",
    "autour", "that", "quite", "tres", "taux", "entre", "between", "house", "maison", "here", "ici", "only",
    "seulement", "juste", "vers", "presque", "almost", "nearly", "rendue", "rendu", "toujours", "still",
    "encore", "r",
];
/// Words that may separate two readings of one room.
pub(super) const BESIDE: &[&str] = &[
    "ds", "time", "cette", "fois", "est", "is", "now", "it", "s", "et", "and", "avec", "with", "at", "a",
    "pour", "x", "the", "dans", "l", "le", "la", "au", "en", "in", "salon", "sous", "sol", "eglise", "salle",
    "piece", "chambre", "studio", "room", "basement", "church", "living", "hall", "scene", "stage", "classe",
    "interieur", "inside", "dedans", "environ", "about", "ici", "here", "gym", "gymnase", "auditorium",
    "sanctuaire", "sanctuary", "chapelle", "chapel", "on", "sur", "de", "maison", "house", "ce", "matin",
    "this", "morning", "aujourd", "hui", "today", "only", "seulement", "bureau", "chalet", "kitchen",
    "cuisine", "den", "lobby", "hr", "rh", "c", "f", "h", "r", "pis", "pi", "partout", "everywhere",
    "throughout", "corridor", "couloir", "hallway", "entree", "loge", "sacristie", "air",
];
/// Words beside a number with a degree sign that is no temperature of the room.
pub(super) const NOT_DEGREES: &[&str] = &[
    "angle", "angles", "nord", "sud", "rue", "street", "avenue", "av", "boul", "boulevard", "road", "chemin",
    "du", "rotation", "tour", "tourne", "tourner", "tournee", "pivoter", "incliner", "inclinee", "turn",
    "turned", "pente", "incline", "inclinaison", "tilt", "tilted", "slope", "biseau", "bevel", "fievre",
    "fever", "latitude", "longitude", "vapeur", "steam", "colle", "glue", "four", "oven", "pivote",
    "collage", "gluing", "glueing", "sechage", "etuve", "dalle", "slab", "downbearing", "sidebearing",
    "bearing", "charge", "appui", "courbure", "frappe", "strike", "crown", "shank",
];
/// Words before a number with a letter that is the number of a door.
pub(super) const ADDRESS_WORDS: &[&str] = &[
    "local", "locaux", "salle", "chambre", "bureau", "porte", "door", "apt", "app", "appartement",
    "apartment", "suite", "unit", "unite", "room", "rm", "no", "numero", "number", "adresse", "address",
    "etage", "floor", "studio", "classe", "class", "page", "section", "casier", "locker", "code", "rangee",
    "row", "siege", "seat", "autobus", "bus", "quai", "gate", "bloc", "block", "lot", "case", "modele",
    "model",
];
/// Words that say that a number is of this room; the number before or after one may lack its unit.
pub(super) const INDOORS: &[&str] = &["dedans", "interieur", "inside", "indoors", "indoor"];
