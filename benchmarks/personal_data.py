"""Personal data of nobody, planted in tables and texts beside decoys, with a list of what stands where.

Written before the finder and without its patterns: every value is put together from words and digits, with check digits
by the issuers' rules. 1,000 rows in five files, each of other countries and with names of columns in its language.
Decoys look like personal data and are none: numbers with a wrong check digit, versions, ISBNs, prices, dates of orders.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

import pandas as pd

ROWS = 200  # of each file

FIRST = {
    "en": "James Mary Robert Patricia Michael Linda David Susan Thomas Karen Daniel Nancy Emily Olivia Harry Grace",
    "de": "Jürgen Sabine Wolfgang Ursula Dieter Monika Stefan Heike Björn Anneliese Günther Lieselotte Lukas Hannah",
    "fr": "Jean-Pierre Chloé Benoît Amélie François Hélène Mathieu Camille Étienne Manon Thierry Océane Loïc",
    "es": "José María Carmen Javier Lucía Álvaro Pilar Íñigo Begoña Sergio Nuria Ramón Inés Joaquín",
    "it": "Giuseppe Francesca Alessandro Chiara Matteo Giulia Niccolò Ludovica Salvatore Beatrice Lorenzo Martina",
}
LAST = {
    "en": "Smith Jones O'Brien Taylor Wilson McDonald Evans Whitfield Hughes Ashworth Pemberton Okafor Nguyen Patel",
    "de": "Müller Schmidt Weiß Hoffmann Schäfer Krüger Lindemann Zimmermann Öztürk Kowalski Braun-Keller Vogelsang",
    "fr": "Lefèvre Dubois Moreau Girard Rousseau Fontaine Beaumont Lemaître Marchand Pelletier N'Diaye Carpentier",
    "es": "García Fernández Muñoz Rodríguez Echeverría Sánchez Ibáñez Castillo Navarro Domínguez Ortega Peñalver",
    "it": "Rossi Esposito Ferrari Bianchi Colombo Ricci D'Angelo Marchetti Lombardi Pellegrini Santoro Battaglia",
}
STREETS = {
    "en": ("12 Acacia Avenue", "# High Street", "Flat #, ## Kingsway Road", "### Maple Drive"),
    "de": ("Lindenallee ##", "Am Bahnhof #", "Goethestraße ##a", "Hauptstr. ###"),
    "fr": ("## rue de la Paix", "# bis avenue Foch", "### boulevard Voltaire"),
    "es": ("Calle Mayor ##", "Avda. de la Constitución ###", "Plaza España #, 3º B"),
    "it": ("Via Garibaldi ##", "Piazza Dante #", "Corso Vittorio Emanuele ###"),
}
PHONES = {
    "en": ("+44 20 7### ####", "07### ######", "(415) 2##-####", "212-3##-####", "+1 650 2## ####"),
    "de": ("+49 30 #######", "030/#######", "0171 #######", "+49 (0)89 ######", "0043 1 #######"),
    "fr": ("06 ## ## ## ##", "+33 6 ## ## ## ##", "01.##.##.##.##", "+41 79 ### ## ##"),
    "es": ("+34 6## ### ###", "6## ## ## ##", "91 ### ## ##", "+52 55 #### ####"),
    "it": ("+39 3## ### ####", "3## #######", "06 #### ####", "+39 02 ########"),
}
IBANS = {
    "en": ("GB", "AAAA##############"), "de": ("DE", "##################"), "fr": ("FR", "#" * 23),
    "es": ("ES", "####################"), "it": ("IT", "A######################"),
}  # fmt: skip
POSTCODES = {"en": "A## #AA", "de": "#####", "fr": "#####", "es": "#####", "it": "#####"}
DATES = {"en": "%d/%m/%Y", "de": "%d.%m.%Y", "fr": "%d/%m/%Y", "es": "%d-%m-%Y", "it": "%Y-%m-%d"}
HEADS = {  # kind -> the name of its column, by language
    "en": {
        "first": "first_name", "last": "surname", "email": "E-mail", "phone": "Mobile", "iban": "IBAN",
        "card": "card_number", "national-id": "tax_reference", "ip": "last_login_ip", "mac": "device", "url": "profile",
        "birth": "date_of_birth", "street": "address_line_1", "postcode": "Postcode", "lat": "latitude",
        "lon": "longitude", "identifier": "patient_id",
    },
    "de": {
        "first": "Vorname", "last": "Nachname", "email": "E-Mail-Adresse", "phone": "Telefonnummer", "iban": "Konto",
        "card": "Kreditkarte", "national-id": "Steuer-ID", "ip": "IP", "mac": "Gerät", "url": "Webseite",
        "birth": "Geburtsdatum", "street": "Straße", "postcode": "PLZ", "lat": "Breitengrad", "lon": "Längengrad",
        "identifier": "Kundennummer",
    },
    "fr": {
        "first": "Prénom", "last": "Nom", "email": "courriel", "phone": "téléphone", "iban": "rib", "card": "carte",
        "national-id": "numéro sécu", "ip": "adresse ip", "mac": "mac", "url": "lien", "birth": "date de naissance",
        "street": "rue", "postcode": "code postal", "lat": "lat", "lon": "lng", "identifier": "adhérent",
    },
    "es": {
        "first": "nombre", "last": "apellidos", "email": "correo", "phone": "telefono", "iban": "cuenta",
        "card": "tarjeta", "national-id": "documento", "ip": "host", "mac": "equipo", "url": "web",
        "birth": "fechaNacimiento", "street": "direccion", "postcode": "codigo_postal", "lat": "gps.lat",
        "lon": "gps.lon", "identifier": "uuid",
    },
    "it": {
        "first": "nome", "last": "cognome", "email": "email", "phone": "cellulare", "iban": "iban", "card": "carta",
        "national-id": "codice_fiscale", "ip": "ip", "mac": "mac_address", "url": "sito", "birth": "nato_il",
        "street": "indirizzo", "postcode": "CAP", "lat": "latitudine", "lon": "longitudine",
        "identifier": "id_paziente",
    },
}  # fmt: skip
FILES = {"de": "kunden.csv", "en": "customers.tsv", "es": "contactos.jsonl", "it": "pazienti.parquet"}
SENTENCES = (  # what is in braces is personal
    "Please call {phone} before noon, {title} {name} is waiting.", "Sent the receipt to {email} on Tuesday.",
    "{title} {name} paid 1,234.56 EUR from {iban}.", "The login came from {ip} at 10:31:07.",
    "Card {card} was declined twice.", "See {url} for the photo.", "Device {mac} lost its lease.",
    "Yesterday {known} asked for order 4711-0815 again.", "National id {national-id} was checked.",
    "Contact: {known}, {email}, {phone}.", "Patient born on {birth}, no allergies.", "From: {email}; reply by fax.",
)  # fmt: skip
UNKNOWN = "Later {unknown} came by and asked for the manager."  # a name without a title, and in no column
TITLES = {"en": ("Mr", "Mrs", "Dr.", "Prof."), "de": ("Herr", "Frau", "Dr."), "fr": ("Mme", "M.", "Monsieur"),
          "es": ("Sra.", "Señor", "Don"), "it": ("Signora", "Sig.", "Dott.")}  # fmt: skip
HARMLESS = (
    "Version 10.4.2.1 replaces 9.8.", "ISBN 978-3-16-148410-0, second edition.", "We met in New York on Sunday.",
    "Delivered on 12.03.2021 for 1,299.00 EUR.", "Article 0815-4711 is out of stock.",
    "Open 10:30-11:45 and 2019-2021.",
    "The Rose Garden on Victoria Line was closed.", "See https://example.com/products/4711?page=2 for details.",
    "Order 2021-000123 has 3 items of 250 g.", "Pi is 3.14159265358979, e is 2.718281828.",
    "Jack Daniels and a Big Mac.",
    "Room 12.3.104, floor 3, gate B22.", "Commit a1b2c3d4e5f6 fixes issue 31415926.",
    "Dear customer, dear Sir or Madam.",
    "GTIN 4006381333931, batch 20210412.", "The score was 21-15, 18-21, 21-19.", "Speed 300000000 m/s at 20:15:59.",
    "Tracking 1Z999AA10123456784 left the hub.", "Saint Petersburg, Los Angeles, Frankfurt am Main.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planted:
    """One piece of personal data. `column` is "" in a text."""

    file: str
    kind: str
    text: str


def digits_for(form: str, chance: random.Random) -> str:
    """A form with a digit for each # and a capital letter for each A that stands alone in codes."""
    return "".join(chance.choice("123456789") if sign == "#" else sign for sign in form)


def luhn_digit(body: str) -> str:
    total = 0
    for place, sign in enumerate(reversed(body)):
        value = int(sign) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return str(-total % 10)


def card(chance: random.Random) -> str:
    begin, length = chance.choice([("4", 16), ("52", 16), ("37", 15), ("6011", 16), ("2245", 16)])
    body = begin + "".join(chance.choice("0123456789") for _ in range(length - 1 - len(begin)))
    whole = body + luhn_digit(body)
    if length == 16 and chance.random() < 0.5:
        mark = chance.choice(" -")
        return mark.join(whole[place : place + 4] for place in range(0, 16, 4))
    return whole


def iban(language: str, chance: random.Random) -> str:
    country, form = IBANS[language]
    account = "".join(chance.choice(ascii_uppercase) if sign == "A" else chance.choice("0123456789") for sign in form)
    number = int("".join(str(int(sign, 36)) for sign in account + country + "00"))
    whole = f"{country}{98 - number % 97:02d}{account}"
    return whole if chance.random() < 0.5 else " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))


def national_id(language: str, chance: random.Random) -> str:
    """Steuer-ID, NHS number, numéro de sécurité sociale, DNI or NIE, codice fiscale."""
    match language:
        case "de":
            while True:
                digits = [int(sign) for sign in chance.sample("123456789", 9)]
                digits.insert(chance.randrange(1, 9), chance.choice(digits[1:]))
                if max(digits.count(one) for one in digits) == 2:
                    break
            product = 10
            for digit in digits:
                total = (digit + product) % 10 or 10
                product = total * 2 % 11
            return "".join(map(str, digits)) + str((11 - product) % 10)
        case "en":
            while True:
                body = [int(chance.choice("123456789")) for _ in range(9)]
                check = 11 - sum((10 - place) * digit for place, digit in enumerate(body)) % 11
                if check != 10:
                    text = "".join(map(str, body)) + str(check % 11)
                    return f"{text[:3]} {text[3:6]} {text[6:]}"
        case "fr":
            body = f"{chance.choice('12')}{chance.randrange(30, 99)}{chance.randrange(1, 13):02d}"
            body += f"{chance.randrange(1, 95):02d}{chance.randrange(1, 990):03d}{chance.randrange(1, 999):03d}"
            return f"{body}{97 - int(body) % 97:02d}"
        case "es":
            number = chance.randrange(10_000_000, 99_999_999)
            return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"
    letters = "".join(chance.choice("BCDFGLMNPRST") for _ in range(6))
    body = f"{letters}{chance.randrange(30, 99)}{chance.choice('ABCDEHLMPRST')}{chance.randrange(1, 29):02d}"
    body += f"{chance.choice('ABCDEFGHIL')}{chance.randrange(100, 999)}"
    odd = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
        10, 22, 25, 24, 23], strict=True))  # fmt: skip
    even = {sign: int(sign) if sign.isdigit() else ord(sign) - 65 for sign in odd}
    total = sum(odd[sign] if place % 2 == 0 else even[sign] for place, sign in enumerate(body))
    return body + ascii_uppercase[total % 26]


def email(first: str, last: str, chance: random.Random) -> str:
    plain = {"ü": "ue", "ö": "oe", "ä": "ae", "ß": "ss", "é": "e", "è": "e", "ñ": "n", "í": "i", "'": "", "-": ""}
    words = ["".join(plain.get(sign, sign) for sign in word.lower()) for word in (first, last)]
    words = ["".join(sign for sign in word if sign.isascii()) for word in words]
    name = chance.choice([".".join(words), f"{words[0][0]}{words[1]}{chance.randrange(100)}", "_".join(words)])
    return f"{name}@{chance.choice(['gmail.com', 'web.de', 'mail.corp.co.uk', 'orange.fr', 'telefonica.es'])}"


def ip(chance: random.Random) -> str:
    if chance.random() < 0.25:
        return ":".join(f"{chance.randrange(4096, 65536):x}" for _ in range(8))
    first = chance.choice([*range(11, 127), *range(128, 224)])  # others are every machine's, or groups'
    return ".".join(map(str, [first, *(chance.randrange(1, 255) for _ in range(3))]))


def mac(chance: random.Random) -> str:
    return chance.choice(":-").join(f"{chance.randrange(256):02X}" for _ in range(6))


def url(first: str, last: str, chance: random.Random) -> str:
    """A page of a person. Only the part that names them is planted."""
    handle = "".join(sign for sign in f"{first}{last}".lower() if sign.isascii() and sign.isalpha())
    handle += str(chance.randrange(100))
    forms = ("https://www.linkedin.com/in/{}", "https://twitter.com/{}", "https://shop.example.com/login?user={}",
             "http://uni.example.edu/~{}", "https://facebook.com/{}")  # fmt: skip
    return chance.choice(forms).format(handle)


def handle_of(address: str) -> str:
    return address.rpartition("=")[2].rpartition("/")[2].removeprefix("~")


def phone(language: str, chance: random.Random) -> str:
    return digits_for(chance.choice(PHONES[language]), chance)


def birth(language: str, chance: random.Random) -> str:
    moment = pd.Timestamp("1935-01-01") + pd.Timedelta(days=chance.randrange(27_000))
    return moment.strftime(DATES[language])


def identifier(language: str, row: int, chance: random.Random) -> str:
    match language:
        case "de":
            return f"{chance.randrange(10**6):06d}{row:03d}"  # with leading zeros
        case "es":
            signs = f"{chance.getrandbits(128):032x}"
            return "-".join((signs[:8], signs[8:12], signs[12:16], signs[16:20], signs[20:]))
        case "it":
            return f"{chance.randrange(100, 1000)}{row:04d}"
    return f"P-{row:04d}-{chance.choice(ascii_uppercase)}{chance.randrange(100, 1000)}"


def wrong_card(chance: random.Random) -> str:
    good = card(chance).replace(" ", "").replace("-", "")
    return good[:-1] + str((int(good[-1]) + chance.randrange(1, 10)) % 10)


def wrong_iban(chance: random.Random) -> str:
    good = iban("de", chance).replace(" ", "")
    return good[:2] + f"{(int(good[2:4]) + 1) % 100:02d}" + good[4:]


class Planter:
    """Makes a file after the other, and remembers what was planted."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.planted: list[Planted] = []

    def fill(self, folder: Path) -> list[Planted]:
        """Write the five files into a folder. Returns: what stands in them."""
        people: dict[str, list[tuple[str, str]]] = {}
        for language, name in FILES.items():
            rows = [self.row(language, number, name) for number in range(ROWS)]
            people[language] = [(row[HEADS[language]["first"]], row[HEADS[language]["last"]]) for row in rows]
            self.write(folder / name, rows)
        everybody = [person for each in people.values() for person in each]
        lines = [self.line("fr", "notes.txt", everybody) for _ in range(ROWS)]
        (folder / "notes.txt").write_text("\n".join(lines) + "\n", "utf-8")
        return self.planted

    def row(self, language: str, number: int, file: str) -> dict[str, str]:
        """A row with every kind of personal data, some cells empty, and decoys."""
        chance, heads = self.chance, HEADS[language]
        first, last = self.person(language)
        made = {
            "identifier": identifier(language, number, chance), "first": first, "last": last,
            "email": email(first, last, chance), "phone": phone(language, chance), "iban": iban(language, chance),
            "card": card(chance), "national-id": national_id(language, chance), "ip": ip(chance), "mac": mac(chance),
            "url": url(first, last, chance), "birth": birth(language, chance),
            "street": digits_for(chance.choice(STREETS[language]), chance),
            "postcode": self.postcode(language), "lat": f"{chance.randrange(360_000, 600_000)}",
            "lon": f"{chance.randrange(-90_000, 200_000)}",
        }  # fmt: skip
        for kind in ("lat", "lon"):  # five decimals, of which the last is not 0, which numbers do not keep
            made[kind] = f"{int(made[kind]) / 10_000 + 0.00001:.5f}"
        row = {}
        for kind, value in made.items():
            given = value if kind in ("first", "last") or chance.random() < 0.95 else ""
            row[heads[kind]] = given
            told = {"first": "name", "last": "name", "lat": "place", "lon": "place"}.get(kind, kind)
            if given:
                self.planted.append(Planted(file, told, handle_of(given) if kind == "url" else given))
        row["order_no"] = chance.choice([wrong_card, wrong_iban])(chance)
        row["version"] = ".".join(str(chance.randrange(30)) for _ in range(3))
        row["ordered"] = f"{chance.randrange(2015, 2026)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
        row["price"] = f"{chance.uniform(1, 2000):.2f}"
        row["isbn"] = "978-3-16-1484" + f"{chance.randrange(10, 100)}-{chance.randrange(10)}"
        row["product"] = chance.choice(["Victoria Sponge", "Big Ben Clock", "Rose Water", "Earl Grey", "Black Forest"])
        row["quantity"] = str(chance.randrange(1, 1_000_000))
        row["remark"] = self.line(language, file, [(first, last)])
        return row

    def postcode(self, language: str) -> str:
        chance = self.chance
        return "".join(
            chance.choice("ABEGKLMNRSW") if sign == "A" else chance.choice("0123456789") if sign == "#" else sign
            for sign in POSTCODES[language]
        )

    def person(self, language: str) -> tuple[str, str]:
        return self.chance.choice(FIRST[language].split()), self.chance.choice(LAST[language].split())

    def line(self, language: str, file: str, known: list[tuple[str, str]]) -> str:
        """A sentence, half of the time with personal data."""
        chance = self.chance
        if chance.random() < 0.5:
            decoys = [f"Order {wrong_card(chance)} was shipped.", f"Reference {wrong_iban(chance)} is no account."]
            return chance.choice([*HARMLESS, *decoys])
        first, last = self.person(language)
        address, person = url(first, last, chance), chance.choice(known)
        make: dict[str, Callable[[], str]] = {
            "name": lambda: f"{first} {last}", "known": lambda: " ".join(person), "ip": lambda: ip(chance),
            "phone": lambda: phone(language, chance), "email": lambda: email(first, last, chance),
            "iban": lambda: iban(language, chance), "card": lambda: card(chance), "url": lambda: address,
            "mac": lambda: mac(chance), "national-id": lambda: national_id(language, chance),
            "birth": lambda: birth(language, chance), "title": lambda: chance.choice(TITLES[language]),
            "unknown": lambda: f"Zebulon {chance.choice(['Quist', 'Ravn'])}",
        }  # fmt: skip
        text = UNKNOWN if chance.random() < 0.03 else chance.choice(SENTENCES)
        for kind, value in make.items():
            if f"{{{kind}}}" in text:
                made = value()
                text = text.replace(f"{{{kind}}}", made)
                if kind != "title":
                    told = "name" if kind == "known" else kind
                    self.planted.append(Planted(file, told, handle_of(made) if kind == "url" else made))
        return text

    def write(self, path: Path, rows: list[dict[str, str]]) -> None:
        frame = pd.DataFrame(rows)
        match path.suffix:
            case ".csv":
                frame.to_csv(path, sep=";", index=False, encoding="utf-8-sig", lineterminator="\r\n")
            case ".tsv":
                frame.to_csv(path, sep="\t", index=False)
            case ".jsonl":
                text = "\n".join(json.dumps(row, ensure_ascii=row["price"] < "3") for row in rows)
                path.write_text(text + "\n", "utf-8")
            case ".parquet":
                numbers = [HEADS["it"][kind] for kind in ("lat", "lon", "identifier")] + ["price", "quantity"]
                frame[numbers] = frame[numbers].apply(pd.to_numeric)
                frame[HEADS["it"]["birth"]] = pd.to_datetime(frame[HEADS["it"]["birth"]]).dt.date
                frame["product"] = frame["product"].astype("category")
                frame.to_parquet(path, index=False)
