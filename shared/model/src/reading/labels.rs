//! Folded words by which a number is of another place or time, or is wished for instead of measured.

/// Words of advice, wishes and plans: the number is recommended, not measured.
pub(super) const ADVICE: &[&str] = &[
    "recommandation", "recommandations", "recommendation", "recommendations", "conseil", "conseils",
    "voulait", "wanted", "demandait", "asked", "wished", "kept", "maintenue", "maintenu", "gardee", "garder",
    "gardez", "gardent", "maintenir", "maintenez", "maintien", "viser", "visez", "vise", "visons", "ideal",
    "ideale", "ideally", "idealement", "recommande", "recommandee", "recommandons", "recommander",
    "recommended", "recommend", "recommends", "conseille", "conseillee", "conseiller", "devrait",
    "devraient", "devrais", "doit", "doivent", "should", "must", "keep", "keeping", "maintain",
    "maintaining", "target", "aim", "aiming", "optimal", "optimale", "optimum", "objectif", "cible",
    "consigne", "setpoint", "max", "min", "maximum", "minimum", "jamais", "never", "eviter", "evitez",
    "avoid", "visee", "souhaite", "souhaitee", "souhaitable", "souhaiterait", "prefere", "preferable",
    "prefers", "preferait", "prefererait", "normalement", "normally", "advised", "advise", "suggest",
    "suggested", "suggere", "suggerer", "goal", "hold", "try", "essayer", "essayez", "chauffer", "chauffez",
    "voudrait", "veut", "aimerait", "wants", "want", "wish", "wishes", "would", "faut", "faudra", "faudrait",
    "norme", "normes", "norm", "fabricant", "manufacturer", "garantie", "warranty", "depasser", "exceed",
    "baisser", "monter", "remonter", "augmenter", "ramener", "atteindre", "reach", "vouloir", "demander",
    "demandons", "evitons", "tolere", "tendre", "toward", "towards",
];
/// Words of advice that govern a number only when they are near it: `laisser à 442`.
pub(super) const ADVICE_NEAR: &[&str] = &[
    "need", "needs", "besoin", "laisser", "mettre", "regler", "ajuster", "programmer", "rester", "stay",
    "remain", "plan", "planned", "prevu", "prevue", "prevoir", "propose", "proposer", "serait", "aurait",
];
/// Words that make a noun of time one to come: `la prochaine visite`.
pub(super) const COMING: &[&str] = &["prochain", "prochaine", "next"];
/// Words after a number that make it a recommendation: `42 % recommandé`.
pub(super) const ADVICE_AFTER: &[&str] = &[
    "best", "ideal", "ideale", "ideals", "recommande", "recommandee", "recommandes", "recommended",
    "conseille", "conseillee", "suggere", "suggeree", "suggested", "souhaite", "souhaitee", "souhaitable",
    "optimal", "optimale", "preferable", "vise", "visee", "cible", "target", "advised", "better", "mieux",
    "minimum", "maximum", "max", "prefere", "preferred", "idee", "idea", "plan", "goal", "objectif",
    "souhait",
];
/// Devices that hold a temperature or a humidity. The number at which one is set is no reading.
pub(super) const DEVICES: &[&str] = &[
    "chauffage", "chauff", "clim", "climatisation", "climatiseur", "climatiseurs", "ac", "heat", "heating",
    "heater", "furnace", "humidificateur", "humidifier", "deshumidificateur", "dehumidifier", "dampp",
    "chaser", "fournaise", "calorifere", "plinthe", "plinthes", "radiateur", "radiateurs", "radiator",
    "thermopompe", "conditioning", "conditioner", "boiler", "chaudiere", "dc", "systeme", "system", "hvac",
    "deshumi", "humidi", "thermostats", "unit", "appareil", "chauffant", "chauffante", "chauffants",
    "radiant", "fireplace", "poele", "stove",
];
/// Controls whose number is a set-point unless a word says that they show it.
pub(super) const CONTROLS: &[&str] = &["humidistat", "thermostat", "hygrostat", "humidistats", "thermostats"];
/// Words by which a device runs or does not, after which a number is the room's.
pub(super) const DEVICE_STATES: &[&str] = &[
    "off", "arrete", "arretee", "eteint", "eteinte", "ferme", "fermee", "brise", "brisee", "panne", "broken",
    "blast", "marche", "running", "debranche", "debranchee", "unplugged",
];
/// Words for the setting of a device.
pub(super) const SETTINGS: &[&str] = &[
    "regle", "reglee", "regles", "set", "programme", "programmee", "programmed", "ajuste", "ajustee",
    "adjusted", "mis", "mise", "remis", "remise", "turned", "reglage", "setting", "calibre", "calibree",
];
/// Words by which a device shows what it measures.
pub(super) const SHOWN: &[&str] = &[
    "affiche", "affichait", "indique", "indiquait", "lit", "lisait", "lecture", "montre", "montrait",
    "mesure", "mesuree", "mesures", "reads", "read", "reading", "shows", "showed", "showing", "says", "said",
    "displays", "displayed", "indicates", "measured", "marque", "marquait", "donne", "donnait", "dit",
    "gives", "releve", "relevee", "noted", "recorded", "logged", "enregistre", "obtenu", "obtenue",
];
/// Words of a place that is not the room.
pub(super) const OUTSIDE: &[&str] = &[
    "humidex", "rosee", "dew", "dehors", "exterieur", "exterieure", "exterieures", "ext", "outside",
    "outdoor", "outdoors", "meteo", "weather", "forecast", "previsions", "windchill", "eolien", "terrasse",
    "patio", "balcon", "balcony",
];
/// Words of a place that is the room.
pub(super) const ROOM: &[&str] = &[
    "dedans", "interieur", "interieure", "inside", "indoor", "indoors", "int", "salle", "piece", "salon",
    "eglise", "maison", "studio", "scene", "stage", "room", "hall", "church", "living", "basement", "sol",
    "classe", "classroom", "house", "chambre", "bureau", "ici", "here", "ambiante", "ambient", "entrepot",
    "garage", "atelier", "warehouse", "chalet", "cottage", "sanctuaire", "sanctuary", "chapelle", "chapel",
    "local", "gymnase", "gym", "remise", "shed", "camion", "truck",
];
/// Words of the present, which end what an earlier visit's words began.
pub(super) const NOW: &[&str] = &[
    "aujourd", "today", "now", "maintenant", "actuellement", "currently", "presentement", "actuelle",
    "actuel", "current",
];
/// Words that make a noun of time one of the past: `la visite précédente`, `last winter`.
pub(super) const PAST: &[&str] = &[
    "dernier", "derniere", "derniers", "dernieres", "precedent", "precedente", "passe", "passee", "last",
    "previous", "prior", "anterieur", "anterieure", "avant",
];
/// Nouns of time and of visits.
pub(super) const TIMES: &[&str] = &[
    "visite", "fois", "an", "annee", "hiver", "ete", "automne", "printemps", "mois", "semaine", "accord",
    "passage", "lecture", "service", "visit", "time", "year", "winter", "summer", "fall", "autumn", "spring",
    "month", "week", "tuning", "reading", "readings", "appointment", "rv", "rdv", "note", "measurement",
    "mesure", "decembre", "janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout",
    "septembre", "octobre", "novembre", "december", "january", "february", "march", "april", "june", "july",
    "august", "september", "october", "november",
];
/// Seasons and months.
pub(super) const SEASONS: &[&str] = &[
    "hiver", "ete", "automne", "printemps", "winter", "summer", "fall", "autumn", "spring", "janvier",
    "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre", "novembre",
    "decembre", "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
];
/// Words that speak of the past alone.
pub(super) const ONCE: &[&str] = &[
    "precedemment", "previously", "auparavant", "anterieurement", "jadis", "autrefois", "formerly",
    "originally", "epoque", "accordait", "accordaient",
];
/// Words before an earlier visit that make it the beginning of a time which includes today.
pub(super) const SINCE: &[&str] =
    &["depuis", "since", "comme", "as", "que", "qu", "than", "apres", "after", "from", "like"];
/// Words before a number that another one is compared with.
pub(super) const COMPARED: &[&str] = &[
    "contre", "vs", "versus", "compared", "compare", "comparativement", "lieu", "instead", "plutot", "rather",
];
/// Words that begin a condition.
pub(super) const CONDITIONS: &[&str] = &["si", "if", "s", "unless", "whenever", "lorsqu", "advenant"];
/// Words of a change, after which `de 5 %` or `by 5%` is a difference.
pub(super) const CHANGES: &[&str] = &[
    "baisse", "baissee", "monte", "montee", "augmente", "augmentee", "chute", "perdu", "gagne", "descendu",
    "descendue", "remonte", "remontee", "dropped", "drop", "rose", "risen", "fell", "fallen", "up", "down",
    "increase", "increased", "decrease", "decreased", "ecart", "variation", "variations", "difference",
    "fluctuation", "fluctuations", "swing", "swings", "change", "changed", "raised", "raise", "lowered",
    "passe", "passee", "went", "gone", "varie", "varied", "rehausse", "abaisse",
];
/// Words after a number that make it a difference.
pub(super) const DIFFERENCES: &[&str] = &[
    "warmer", "colder", "cooler", "hotter", "drier", "dryer", "wetter", "higher", "lower", "difference",
    "ecart", "variation", "swing", "drop", "rise", "change", "differential",
];
/// Words of what somebody says, and of those who say it.
pub(super) const CLAIMS: &[&str] = &[
    "dit", "disait", "says", "said", "claims", "claimed", "pretend", "pense", "croit", "thinks", "told",
    "texted", "texte", "wrote", "writes", "ecrit", "ecrivait", "emailed", "raconte", "racontait", "rapporte",
    "reported", "reports", "mentionne", "mentioned", "affirme", "jure", "swears", "selon", "according",
    "assure", "insists", "parle", "jurait",
];
/// People who are no tuner.
pub(super) const PEOPLE: &[&str] = &[
    "client", "cliente", "proprio", "proprietaire", "owner", "customer", "madame", "monsieur", "mme", "she",
    "he", "elle", "concierge", "janitor", "cure", "directeur", "directrice", "facteur", "vendeur", "dealer",
    "seller", "voisin", "voisine", "neighbor", "neighbour", "mari", "husband", "wife", "pere", "father",
    "mere", "mother", "gardien", "sacristain", "organiste", "organist", "secretaire", "secretary", "prof",
    "teacher", "locataire", "tenant", "clients", "they", "ils",
];
/// Words of the road: `la 440` is a motorway of Laval.
pub(super) const ROADS: &[&str] = &[
    "autoroute", "aut", "trafic", "traffic", "bouchon", "bouchons", "congestion", "pont", "bridge", "detour",
    "route", "accident", "sortie", "exit", "highway", "hwy", "jam", "voie", "viaduc", "construction",
    "circulation", "embouteillage", "embouteillages", "route", "conduite", "drive", "driving", "roadwork",
    "nids", "poule", "itineraire", "laval", "freeway", "ramp", "bretelle", "kilometrage",
];
/// Words before `la 440` as a motorway, and after it.
pub(super) const ON_ROADS: &[&str] = &[
    "sur", "par", "via", "prendre", "prends", "prenez", "pris", "longe", "vers", "depuis", "coin", "on",
    "take", "took", "off", "near", "pres", "jusqu",
];
/// Words after `la 440` as a motorway.
pub(super) const ROAD_ENDS: &[&str] = &[
    "est", "ouest", "nord", "sud", "fermee", "ferme", "bloquee", "bloque", "east", "west", "north", "south",
    "closed", "blocked",
];
/// Words in whose clause a number with `c` counts cents of a semitone: `monté de 15c`, `basses 12c`.
pub(super) const CENTS: &[&str] = &[
    "monte", "montee", "remonte", "remontee", "baisse", "baissee", "descendu", "descendue", "raised",
    "raise", "lowered", "dropped", "overpull", "surtension", "drift", "drifted", "derive", "pitch", "octave",
    "octaves", "medium", "mediums", "aigu", "aigus", "graves", "grave", "treble", "bass", "basses", "tenor",
    "unisson", "unissons", "unison", "inharmonicite", "stretch", "decalage", "offset", "moyenne", "average",
    "perdu", "lost", "bouge", "moved", "temperament", "quinte", "quintes", "tierce", "tierces", "fifth",
    "fifths", "correction", "faux", "fausse", "fausses", "trop", "flat", "sharp", "ecart", "registre",
    "haute", "haut", "bas", "basse", "notes", "diapason", "hauteur",
];
/// Words directly after cents of a semitone: `12c flat`.
pub(super) const CENTS_AFTER: &[&str] = &[
    "flat", "sharp", "bas", "basse", "haut", "haute", "cents", "cent", "trop", "below", "above", "low",
    "high", "faux", "off", "sous", "dessous", "dessus", "lower", "higher", "flatter", "sharper", "drop",
];
/// Words of a change of pitch, which make cents even of a number with a capital `C`.
pub(super) const PITCH_CHANGES: &[&str] = &[
    "monte", "montee", "remonte", "remontee", "baisse", "baissee", "descendu", "descendue", "raised",
    "raise", "lowered", "dropped", "surtension", "overpull", "drifted", "derive",
];
/// Names of notes, after which a number with `c` counts cents.
pub(super) const NOTE_NAMES: &[&str] =
    &["do", "re", "mi", "fa", "sol", "la", "si", "a", "b", "c", "d", "e", "f", "g"];
/// Words before the number of a door, a document or a thing.
pub(super) const NUMBERED: &[&str] = &[
    "local", "locaux", "chambre", "app", "apt", "appartement", "apartment", "suite", "no", "numero",
    "number", "porte", "door", "code", "facture", "invoice", "build", "version", "serie", "serial", "modele",
    "model", "poste", "ext", "tel", "page", "lot", "casier", "bus", "autobus", "route", "autoroute", "hwy",
    "highway", "rue", "rm", "room", "unit", "unite", "etage", "floor", "opus", "op", "dossier", "commande",
    "order", "boul", "avenue", "av", "salle", "bureau", "condo", "adresse", "address", "sonnette", "cle",
    "clef", "touche", "touches", "corde", "cordes", "estimation", "soumission", "total", "paye", "prix",
    "price", "cost", "quote", "paid", "k", "km", "civique", "livrer", "sortie", "exit", "case", "interphone",
    "buzzer", "buzz", "sn", "ref", "ticket", "pianos", "charged", "cheque", "montant", "amount",
];
/// Words of bringing a piano to a pitch.
pub(super) const RAISES: &[&str] = &[
    "monte", "monter", "montee", "remonte", "remonter", "raise", "raised", "force", "forcer", "pull",
    "pulled", "bring", "brought", "amene", "amener", "ramene", "ramener", "atteint", "atteindre", "reach",
    "reached", "rendu", "rendre", "go", "get", "got", "tune", "tuned", "accorde", "accorder", "mis",
    "mettre",
];
/// Words directly after a pitch that is to come.
pub(super) const PLANNED: &[&str] =
    &["prevu", "prevue", "planned", "scheduled", "demain", "tomorrow", "souhaite", "requis"];
