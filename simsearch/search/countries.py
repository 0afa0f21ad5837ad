"""Countries as people write them → as the registry does: codes of ISO 3166, other names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from simsearch.records.vocabulary import country as of_today
from simsearch.search.likeness import letters

_CODES = """
AE ARE United Arab Emirates|AF AFG Afghanistan|AL ALB Albania|AM ARM Armenia|AO AGO Angola
AR ARG Argentina|AT AUT Austria|AU AUS Australia|AZ AZE Azerbaijan|BA BIH Bosnia and Herzegovina
BB BRB Barbados|BD BGD Bangladesh|BE BEL Belgium|BF BFA Burkina Faso|BG BGR Bulgaria
BH BHR Bahrain|BI BDI Burundi|BJ BEN Benin|BO BOL Bolivia|BR BRA Brazil|BS BHS The Bahamas
BW BWA Botswana|BY BLR Belarus|CA CAN Canada|CD COD Democratic Republic of the Congo
CF CAF Central African Republic|CG COG Republic of the Congo|CH CHE Switzerland
CI CIV Côte d'Ivoire|CL CHL Chile|CM CMR Cameroon|CN CHN China|CO COL Colombia|CR CRI Costa Rica
CU CUB Cuba|CV CPV Cabo Verde|CY CYP Cyprus|CZ CZE Czechia|DE DEU Germany|DJ DJI Djibouti
DK DNK Denmark|DO DOM Dominican Republic|DZ DZA Algeria|EC ECU Ecuador|EE EST Estonia
EG EGY Egypt|ER ERI Eritrea|ES ESP Spain|ET ETH Ethiopia|FI FIN Finland|FJ FJI Fiji
FR FRA France|GA GAB Gabon|GB GBR United Kingdom|GE GEO Georgia|GH GHA Ghana|GM GMB Gambia
GN GIN Guinea|GR GRC Greece|GT GTM Guatemala|GW GNB Guinea-Bissau|HK HKG Hong Kong
HN HND Honduras|HR HRV Croatia|HT HTI Haiti|HU HUN Hungary|ID IDN Indonesia|IE IRL Ireland
IL ISR Israel|IN IND India|IQ IRQ Iraq|IR IRN Iran|IS ISL Iceland|IT ITA Italy|JM JAM Jamaica
JO JOR Jordan|JP JPN Japan|KE KEN Kenya|KG KGZ Kyrgyzstan|KH KHM Cambodia|KR KOR South Korea
KW KWT Kuwait|KZ KAZ Kazakhstan|LA LAO Laos|LB LBN Lebanon|LI LIE Liechtenstein|LK LKA Sri Lanka
LR LBR Liberia|LS LSO Lesotho|LT LTU Lithuania|LU LUX Luxembourg|LV LVA Latvia|LY LBY Libya
MA MAR Morocco|MC MCO Monaco|MD MDA Moldova|ME MNE Montenegro|MG MDG Madagascar
MK MKD North Macedonia|ML MLI Mali|MM MMR Myanmar|MN MNG Mongolia|MO MAC Macau|MR MRT Mauritania
MT MLT Malta|MU MUS Mauritius|MW MWI Malawi|MX MEX Mexico|MY MYS Malaysia|MZ MOZ Mozambique
NA NAM Namibia|NE NER Niger|NG NGA Nigeria|NI NIC Nicaragua|NL NLD Netherlands|NO NOR Norway
NP NPL Nepal|NZ NZL New Zealand|OM OMN Oman|PA PAN Panama|PE PER Peru|PG PNG Papua New Guinea
PH PHL Philippines|PK PAK Pakistan|PL POL Poland|PR PRI Puerto Rico|PS PSE Palestinian Territories
PT PRT Portugal|PY PRY Paraguay|QA QAT Qatar|RO ROU Romania|RS SRB Serbia|RU RUS Russia
RW RWA Rwanda|SA SAU Saudi Arabia|SD SDN Sudan|SE SWE Sweden|SG SGP Singapore|SI SVN Slovenia
SK SVK Slovakia|SL SLE Sierra Leone|SN SEN Senegal|SO SOM Somalia|SV SLV El Salvador|SY SYR Syria
SZ SWZ Eswatini|TD TCD Chad|TG TGO Togo|TH THA Thailand|TJ TJK Tajikistan|TN TUN Tunisia
TR TUR Turkey|TT TTO Trinidad and Tobago|TW TWN Taiwan|TZ TZA Tanzania|UA UKR Ukraine
UG UGA Uganda|US USA United States|UY URY Uruguay|UZ UZB Uzbekistan|VE VEN Venezuela
VN VNM Vietnam|YE YEM Yemen|ZA ZAF South Africa|ZM ZMB Zambia|ZW ZWE Zimbabwe
"""
_OTHER_NAMES = """
America|U.S.|U.S.A.|United States of America|the States=United States
UK|U.K.|Great Britain|Britain|England|Scotland|Wales|Northern Ireland=United Kingdom
Korea|Republic of Korea=South Korea
Holland|The Netherlands=Netherlands
Ivory Coast|Cote d'Ivoire=Côte d'Ivoire
Czech Republic=Czechia
Burma=Myanmar
Congo-Kinshasa|DR Congo|DRC=Democratic Republic of the Congo
Congo-Brazzaville=Republic of the Congo
Macedonia=North Macedonia
Swaziland=Eswatini
Cape Verde=Cabo Verde
UAE|Emirates=United Arab Emirates
Persia=Iran
Russian Federation=Russia
Türkiye|Turkiye=Turkey
PRC|People's Republic of China|Mainland China=China
Palestine=Palestinian Territories
Deutschland=Germany
España|Espana=Spain
Italia=Italy
Brasil=Brazil
Österreich=Austria
Schweiz|Suisse=Switzerland
"""


def _table() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for entry in re.split(r"[|\n]", _CODES.strip()):
        two, three, name = entry.split(" ", 2)
        found |= {letters(two): name, letters(three): name}
    for line in _OTHER_NAMES.strip().splitlines():
        names, _, name = line.partition("=")
        found |= {letters(each): name for each in names.split("|")}
    return MappingProxyType(found)


_NAMES = _table()


def country_meant(value: str) -> str:
    """Return the country that a code or another name stands for, or the name, single-spaced."""
    plain = " ".join(value.split())
    return _NAMES.get(letters(plain), plain)


def countries_named(value: str, names: Iterable[str]) -> list[str]:
    """Return the countries that a person means: `DE`, `Ivory Coast`, `germany,france`.

    Args:
        value: as a person writes them; nothing is found where one of several is none.
        names: the countries of an index.
    """
    known = {letters(name): name for name in names}
    one = _one(value, known)
    if one:
        return [one]
    several = [_one(part, known) for part in value.split(",") if part.strip()]
    return list(dict.fromkeys(several)) if len(several) > 1 and all(several) else []


def _one(value: str, known: Mapping[str, str]) -> str:
    plain = " ".join(value.split())
    for name in (plain, of_today(plain), _NAMES.get(letters(plain), "")):
        if name and letters(name) in known:
            return known[letters(name)]
    return ""


def written_countries(names: Iterable[str]) -> dict[str, str]:
    """Return how countries of an index are written in a text, case-folded → as it has them."""
    known = {letters(name): name for name in names}
    found = {name.casefold(): name for name in known.values()}
    for line in _OTHER_NAMES.strip().splitlines():
        others, _, name = line.partition("=")
        if letters(name) in known:
            found |= {each.casefold(): known[letters(name)] for each in others.split("|")}
    for code, name in (("us", "United States"), ("usa", "United States")):
        if letters(name) in known:
            found[code] = known[letters(name)]
    return found
