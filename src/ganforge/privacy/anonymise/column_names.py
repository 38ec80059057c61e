"""What the name of a column claims that it holds, in English, German, French, Spanish, Italian and partly in others."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

_WORDS = {
    "email": "email emails mailadresse emailadresse courriel correo mail emailaddress",
    "phone": "phone phones telephone telefon tel mobile mobil handy fax telefono telefonnummer mobilnummer handynummer "
    "rufnummer festnetz movil cellulare cell cellphone whatsapp phonenumber msisdn portable telefonino telefoon",
    "birth": "dob birthdate birthday dateofbirth geburtsdatum geburtstag gebdatum geboren naissance nacimiento nascita "
    "born nato nata nacido nacida birth "
    "geboortedatum urodzenia dataurodzenia nascimento",
    "postcode": "postcode zip zipcode plz postleitzahl cap postal postalcode kodpocztowy kod cep",
    "street": "street address adresse anschrift strasse rue calle direccion domicilio via indirizzo addr hausnummer "
    "addressline streetname straat adres ulica rua morada endereco",
    "place": "lat latitude lon lng long longitude breitengrad laengengrad langengrad breite laenge latitud longitud "
    "latitudine longitudine gps coordinates coordinate koordinaten coordenadas coordonnees geo latlon latlng",
    "national-id": "ssn nino nhs bsn pesel cpf dni nie nif codicefiscale steuerid steueridentifikationsnummer "
    "steuernummer ahv avs nir personnummer insee sozialversicherungsnummer secu passport reisepass passeport pasaporte "
    "passaporto personalausweis ausweisnummer socialsecurity nationalid",
    "iban": "iban rib bankverbindung",
    "card": "creditcard kreditkarte cardnumber kartennummer pan ccnumber tarjeta",
    "ip": "ip ipaddress ipadresse ipaddr",
    "mac": "mac macaddress macadresse",
    "url": "url website webseite homepage link web sito",
    "name": "firstname lastname surname forename fullname familyname givenname middlename maidenname vorname nachname "
    "familienname zuname geburtsname prenom nom nombre nombres apellido apellidos nome cognome cognomi author autor "
    "owner inhaber employee teacher doctor arzt medecin medico "
    "naam voornaam achternaam imie nazwisko",
    "identifier": "uuid guid username login userid nickname benutzername kennzeichen licenceplate licenseplate "
    "numberplate patientid customerid kundennummer kundennr mitgliedsnummer patientennummer personalnummer "
    "versichertennummer versicherungsnummer matrikelnummer kontonummer accountnumber mrn memberid employeeid",
}
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_THING_WORDS = (
    "product produkt produit producto prodotto file datei fichier archivo company firma firme empresa azienda city "
    "stadt "
    "ville ciudad citta country land pays pais paese brand marke marque marca host server domain event class klasse "
    "classe clase table column item article artikel articolo category kategorie categorie categoria project projekt "
    "projet proyecto progetto school schule course kurs title titel station species model modell modele modelo method "
    "function variable feature region state department hotel restaurant shop store channel group team movie film song "
    "album game app package order bestell bestellung commande pedido ordine invoice rechnung facture factura fattura "
    "sku isbn ean gtin version ticket batch lot part teil piece transaction tracking shipment paket parcel colour color"
)
_PERSON_WORDS = (
    "customer kunde kunden client cliente clients patient patienten paciente paziente person personne persona user "
    "nutzer "
    "benutzer utilisateur usuario utente member mitglied membre miembro socio adherent employee mitarbeiter personal "
    "employe empleado dipendente student schuler etudiant estudiante studente insured versicherten versicherung assure "
    "asegurado assicurato citizen burger account konto compte cuenta conto subscriber guest gast driver fahrer "
    "passenger "
    "staff applicant donor subject contact"
)
_NUMBER_WORDS = (
    "id ids no nr num number nummer numero numer code key uid guid uuid pid identifier kennung kennziffer ref"
)
_THINGS, _PERSONS, _NUMBERS = (frozenset(words.split()) for words in (_THING_WORDS, _PERSON_WORDS, _NUMBER_WORDS))
_MACHINES = {"ip", "mac", "mail", "email", "web", "url", "memory", "wallet", "e"}  # whose address is not a street
_FIRST = ("email", "ip", "mac", "url", "iban", "card", "national-id", "birth", "phone", "postcode")


def words_of(name: str) -> list[str]:
    """Return the words of a column's name, in lower case and without accents: dateOfBirth is date, of, birth."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ẞ", "SS"))
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", plain)]


def kind_by_name(name: str) -> str | None:
    """Return the kind that a column's name claims; its values have the last word.

    "identifier?" is one if its values differ: `id` and `key` alone may number anything. A number or a name of a thing
    (order_no, product_name) is none.
    """
    words = words_of(name)
    have, joined = set(words), "".join(words)
    if joined in _KIND_OF:
        return _KIND_OF[joined]
    parts = [*words, *(first + second for first, second in pairwise(words))]
    found = {_KIND_OF[part] for part in parts if part in _KIND_OF}
    numbered = bool(have & _NUMBERS)
    if {"e", "mail"} <= have:
        found.add("email")
    if have & {"tax", "steuer", "national", "fiscal"} and (numbered or "reference" in have):
        found.add("national-id")
    if have & {"codigo", "code"} or have & _MACHINES:
        found.discard("street")
    claims = [kind for kind in (*_FIRST, "place") if kind in found]
    if have & _THINGS and "street" not in found:
        claims.append("")
    claims += [kind for kind in ("street", "identifier") if kind in found]
    if have & _PERSONS and numbered:
        claims.append("identifier")
    if "name" in found or have & {"name", "names"} or have & _PERSONS:
        claims.append("name")
    if numbered:
        claims.append("identifier?")
    return next(iter(claims), None) or None
