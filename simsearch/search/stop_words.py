"""Words that do not say what a study is about, as terms (without their plural s)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _terms(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION_WORDS = _terms("""
    a about after all also an and any are as at be been before being between both but by can
    clinical completed could did do doe during each effect effective effectiveness efficacy
    either evaluate every for from further get give given had has have having he her him his how
    i if in increasingly into is it its itself just line made make many may more most much must
    my new no not now of off often on one only or other our out own patient regard safety same
    see she should since so some sometime still study such take than that the their them then
    there these they this thus to treat treated treating treatment trial two under until up upon
    us use very via was we well were what when where whether which while who will with would you
    your
""")
"""Words of any English text and of any trial, which a small index may weigh highly."""

CONTROLS = _terms("""
    background care comparator control matching no normal observation placebo questionnaire
    saline sham soc standard treatment usual vehicle
""")
"""In names of interventions: what others are compared with."""

PLACEBOS = _terms("placebo sham vehicle")
"""In names of interventions: what looks like the one that is tested."""

WAYS_TO_GIVE = _terms("""
    capsule cream daily depot dose drop eye film foam gel granule high hydrochloride im infusion
    inhalation inhaled inhaler injectable injection intramuscular intranasal intravenous
    intravenously intravitreal iv liquid lotion low mcg medium mg ml mouthrinse mouthwash nasal
    ointment ophthalmic oral orally patch pill powder sc solution spray subcutaneous
    subcutaneously sulfate suspension syrup tablet topical topically transdermal water weekly
""")
"""In names of interventions: how something is given, not what it is."""

STATES_OF_DISEASE = _terms("""
    acute advanced chronic early intermediate late localized locally metastatic mild moderate newly
    progressive recurrent refractory relapsed relapsing resistant severe solid stable stage
    unresectable untreated
""")
"""In texts: how far a disease has come, which studies of every disease say."""

WIDE_WORDS = _terms("""
    acute adult and cancer childhood chronic condition disease disorder healthy infection
    neoplasm of participant pathologic pathological process protocol sign solid specific subject
    symptom syndrome system the tumor unspecified volunteer
""")
"""In conditions and MeSH terms: words that are not a condition by themselves."""

HEALTHY_PEOPLE = _terms("adult control healthy normal participant people subject volunteer")
"""In conditions: people who have none."""

KINDS_OF_CONDITION = _terms("""
    condition disease disorder infection syndrome
""")
"""In conditions: words that one record has and another leaves out: HIV, HIV Infections."""

COARSE_WORDS = _terms("""
    adenocarcinoma anemia arthritis atrophy autoimmune bacterial bleeding bone brain carcinoma
    cardiac cardiovascular cerebrovascular cognition collagen communicable constriction critical
    death deficiency dermatitis digestive edema embolism emergency endocrine eye failure fibrosis
    gastrointestinal genetic granuloma heart hematologic hemorrhage hemorrhagic hepatitis
    hyperplasia hypersensitivity hypertrophy hypoxia illness immune immunologic inborn
    infarction inflammation injury insufficiency intestinal ischemia joint kidney leukemia liver
    lung lymphoma mental metabolic metastasis mood nausea necrosis neovascularization nervous
    pain poisoning postoperative precancerous progression pulmonary recurrence renal respiration
    respiratory retinal rheumatic sarcoma sclerosis shock skin susceptibility ulcer vascular
    virus vomiting wound
""")
"""In MeSH terms of conditions: organs, processes, kinds of tumour, each of many conditions."""

KINDS_OF_CANCER = _terms("cancer carcinoma malignancy neoplasm tumor")
"""In conditions: words for the same thing, of which every record chooses one."""

OTHER_BY_PLACE = _terms("""
    abdominal ectopic gestational heat intracranial intraocular neonatal ocular portal pulmonary
    respiratory
""")
"""Beside a condition of one word: words that make another one of it: pulmonary hypertension."""

OTHER_BY_SUFFIX = _terms("coronavirus cov insipidus")
"""After a condition: words that make something else of it: diabetes insipidus."""

SALTS = _terms("""
    acetate besylate bromide calcium chloride citrate disodium fumarate hydrobromide hydrochloride
    maleate malate mesylate phosphate potassium sodium succinate sulfate tartrate tosylate
""")
"""At the end of names of substances: what the substance is bound to."""

NO_SUBJECT = FUNCTION_WORDS | CONTROLS | WAYS_TO_GIVE | STATES_OF_DISEASE
"""Words that, shared by two studies, say nothing of what they are about."""

KINDS_OF_INTERVENTION = _terms("""
    antibiotic block cell chemotherapy device drug exercize group intervention medication part
    pharmaceutical procedure product reference regimen supplement surgery test therapy vaccine
""")
"""In names of interventions: words that are none by themselves."""

DESIGN_WORDS = _terms("""
    arm ascending assess blind blinded center clinic compare comparing comparison conduct controlled
    crossover design double evaluation group investigate investigation label multicenter
    multiple objective open outcome parallel participant people person pharmacodynamic
    pharmacokinetic phase pilot placebo prospective randomization randomized recruiting
    research retrospective single subject tolerability tolerance volunteer
""")
"""In a text that is asked: how a study is done, which says nothing of what it is about."""

WORDS_OF_OTHER_LANGUAGES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "German": _terms("auf bei das dem den der des die ein eine einer für im mit oder und von"),
        "Spanish": _terms("con de del el en la las los o para por sin un una y"),
        "French": _terms("au aux avec chez dans de des du en et l la le les ou par pour sur une"),
        "Portuguese": _terms("com da das de do dos e em na no para por sem uma"),
        "Italian": _terms("che con da degli dei del della delle di il in nei nel nella per una"),
        "Dutch": _terms("bij de een en het met of van voor"),
    }
)
"""Language → its commonest short words."""

FOREIGN_PHRASES = ("de novo", "en bloc", "en face", "in vivo", "torsade de pointes")
"""What English texts borrow of other languages."""
