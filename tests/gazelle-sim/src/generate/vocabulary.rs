//! Vocabulary of the generated texts, all invented: no person, address or number here is real.

pub(super) const FIRST_NAMES: &[&str] = &[
    "Éloïse", "Maëlle", "Zéphirin", "Ludivine", "Anselme", "Capucine", "Théodule", "Noémie", "Barnabé",
    "Océane", "Fernand", "Jean-Noël", "D'Arcy", "Wilhelmine", "Ulysse", "Xavière",
];
pub(super) const LAST_NAMES: &[&str] = &[
    "Tremblevert", "Boisclairval", "Lafeuillette", "Saint-Diapason", "O'Clavier", "Desharmonies",
    "Beausillon", "Marteaurouge", "Grandpédale", "L'Étouffoir", "Cordeneuve", "Rivièrelongue",
];
pub(super) const COMPANIES: &[&str] = &[
    "École de musique Les Marteaux",
    "Conservatoire de Val-des-Cordes",
    "Théâtre \"La Sourdine\"",
    "Église Sainte-Quinte-Juste",
    "Salle Bémol & Fils",
    "Studio C:\\Piano",
    "Festival d'été 🎹",
    "Collège du Tempérament Égal",
    "Résidence L'Âge d'Or-gue",
];
pub(super) const STREETS: &[&str] = &[
    "rue du Diapason",
    "avenue des Étouffoirs",
    "chemin de la Table-d'Harmonie",
    "boul. des Marteaux",
    "côte du Sillet",
    "place de l'Échappement",
];
pub(super) const CITIES: &[&str] =
    &["Montréal", "Val-des-Cordes", "Saint-Diapason", "Trois-Quintes", "L'Île-du-Clavier", "Harmonieville"];
pub(super) const CLIENT_TYPES: &[&str] = &["INDIVIDUAL", "INSTITUTION", "DEALER", "résidentiel"];
pub(super) const LIFECYCLE_STATES: &[&str] = &["ACTIVE", "PAUSED", "LAPSED", "waiting_for_reply"];
pub(super) const PERSONAL_NOTES: &[&str] = &[
    "Chien très gentil, entrer par derrière",
    "A dit : \"toujours le matin\"",
    "Préfère l'anglais",
    "Stationnement côté nord\nSonner deux fois",
    "Paie à la fin du mois \\ par chèque",
    "Ami des chats 🐈‍⬛",
];
pub(super) const PREFERENCE_NOTES: &[&str] = &[
    "Matin seulement",
    "Pas le vendredi",
    "Appeler avant d'arriver",
    "Diapason 442 Hz pour les concerts",
    "Toujours la même technicienne",
];
pub(super) const PIANO_MAKES: &[&str] =
    &["Yamaha", "Heintzman", "Steinway & Sons", "Kawai", "Lesage", "Willis & Co.", "Bösendorfer", "Pratte"];
pub(super) const PIANO_MODELS: &[&str] = &["U1", "C3X", "Modèle \"D\"", "B-211", "K-300", "Studio 44"];
pub(super) const PIANO_TYPES: &[&str] =
    &["GRAND", "UPRIGHT", "UPRIGHT", "STUDIO", "SPINET", "CONSOLE", "UNKNOWN", "HARPSICHORD", "DIGITAL"];
pub(super) const ROOMS: &[&str] = &[
    "Salon",
    "Local 204",
    "Salle Wilfrid-Inventé, scène",
    "Sous-sol (près de la fournaise)",
    "Foyer",
    "B-\u{00a0}12",
    "Studio 3 \"petit\"",
    "  Loge  ",
];
pub(super) const PIANO_NOTES: &[&str] = &[
    "Cordes de basse à surveiller",
    "Couvercle retiré\u{2028}pour la saison",
    "Fissure au sommier?",
    "Dampp-Chaser débranché à l'arrivée",
    "Ivoires d'origine 😀",
    "Chevilles molles; voir l'estimé",
];
pub(super) const COLORS: &[&str] = &["Noir", "Acajou", "Noyer", "Blanc", "Ébène"];
pub(super) const FINISHES: &[&str] = &["Satin", "Poli", "Lustré"];
pub(super) const USES: &[&str] = &["Performance", "Teaching", "Practice", "Home", "Église"];
pub(super) const SERVICE_NOTES: &[&str] = &[
    "Accord 440Hz, 21C, 39%",
    "20°, 33%",
    "68F, 40%",
    "24c. 34%",
    "Température ambiante 23° Celsius, humidité relative 35%",
    "Accord 442 Hz pour le concert 🎹",
    "Réglage de la mécanique\n- enfoncement\n- échappement",
    "Client absent; clé chez le \"concierge\"",
    "Réservoir vide, \"PLS\" débranché",
    "Fenêtre ouverte \\ courant d'air",
    "Couvercle retiré, 18 %",
];
pub(super) const AUTOMATED_SUMMARIES: &[&str] = &[
    "Rappel de rendez-vous envoyé",
    "Confirmation demandée",
    "Courriel de suivi",
    "Facture transmise",
    "Rendez-vous déplacé",
    "Message programmé",
    "Estimé consulté par le client",
    "Appointment reminder sent",
];
pub(super) const MANUAL_SUMMARIES: &[&str] =
    &["Accord", "Visite d'entretien", "Appel téléphonique", "Réparation", "Note de l'équipe", "Tuning"];

/// Entry types that Gazelle writes automatically.
pub(super) const AUTOMATED_TYPES: &[&str] = &[
    "CONTACT_EMAIL_AUTOMATED",
    "CONTACT_EMAIL_AUTOMATED",
    "CONTACT_EMAIL_AUTOMATED",
    "CONTACT_SMS_AUTOMATED",
    "CONTACT_SMS_AUTOMATED",
    "APPOINTMENT_LOG",
    "APPOINTMENT_LOG",
    "INVOICE_LOG",
    "INVOICE_SYNC",
    "ESTIMATE_LOG",
    "SYSTEM_MESSAGE",
    "SYSTEM_NOTIFICATION",
    "SERVICE_ENTRY_AUTOMATED",
];
/// Entry types that people write.
pub(super) const MANUAL_TYPES: &[&str] = &[
    "SERVICE_ENTRY_MANUAL",
    "SERVICE_ENTRY_MANUAL",
    "SERVICE_ENTRY_MANUAL",
    "USER_COMMENT",
    "PIANO_MEASUREMENT",
    "CONTACT_EMAIL_MANUAL",
    "CONTACT_PHONE_MANUAL_TALKED",
    "APPOINTMENT",
];
/// Entry types that may be dated in the future.
pub(super) const SCHEDULED_TYPES: &[&str] =
    &["SCHEDULED_MESSAGE_EMAIL", "SCHEDULED_MESSAGE_SMS", "APPOINTMENT"];
