"""Words by which a small company's sector shows on its pages, in English and in Afrikaans.

Only the table lives here; `companies.py` counts. A word weighs 1, a telling one (marked with *) 3. Stems end in ~.
"""

SECTOR_WORDS: dict[str, str] = {
    "accounting": "*accountant~ *bookkeep~ *rekenmeester~ tax belasting audit~ payroll sars vat",
    "automotive": "*panel-beat~ *motorhawe *tyres *bande *mechanic~ workshop werkswinkel vehicle~ voertuig~ dealership",
    "beauty": "*hairdress~ *haarkapper~ *salon *spa *skoonheid~ nails massage facial stylist~ barber~",
    "construction": "*builder~ *bouers *boukontrakteur~ *contractor~ *renovation~ building paving roofing tiling",
    "education": "*school *skool *tutor~ *kleuterskool *academy training opleiding course~ kursus~ learner~ leerders",
    "energy": "*solar *sonkrag *inverter~ *photovoltaic battery batteries load-shedding beurtkrag kwh",
    "farming": "*farm *plaas *boerdery livestock vee crop~ harvest oes irrigation besproeiing orchard",
    "finance": "*insurance *versekering *broker~ *makelaar~ investment~ beleggings loan~ lenings retirement",
    "fitness": "*gym *gimnasium *fitness *yoga *pilates workout~ trainer classes membership",
    "food_and_drink": "*restaurant *restourant *coffee *koffie *roaster~ *bakery *bakkery *catering cafe menu "
    "spyskaart barista espresso beans brewery winery wyn",
    "health": "*dentist~ *dental *tandarts~ *doctor~ *dokter~ *clinic *kliniek *physio~ *optometr~ patient~ "
    "pasient~ medical mediese practice praktyk teeth",
    "home_services": "*plumb~ *loodgieter~ *electrician~ *elektrisien~ *locksmith *geyser~ *pest-control *drain~ leak~ "
    "blocked emergency call-out maintenance",
    "hospitality": "*guest-house *guesthouse *gastehuis *hotel *lodge *b&b *accommodation *akkommodasie rooms kamers "
    "breakfast ontbyt check-in stay",
    "it_services": "*software *sagteware *hosting *cybersecurity *web-design *managed-services cloud app~ network "
    "netwerk data developer~",
    "legal": "*attorney~ *prokureur~ *law-firm *conveyanc~ *advocate~ litigation notary legal regs~",
    "logistics": "*courier~ *koerier~ *freight *logistics *logistiek *trucking transport vervoer delivery warehouse~",
    "manufacturing": "*manufactur~ *vervaardig~ *factory *fabriek fabrication steel staal machining industrial",
    "marketing": "*marketing-agency *advertising *branding *bemarking~ campaign~ social-media seo content",
    "online_retail": "*add-to-cart *checkout *online-shop *online-store *aanlyn-winkel cart mandjie shipping "
    "returns shop winkel products gear",
    "real_estate": "*estate-agent~ *eiendom~ *real-estate *property *properties *rentals listing~ valuation~ "
    "bond sole-mandate buyers sellers",
    "security": "*armed-response *alarm~ *cctv *security-guard~ *sekuriteit~ surveillance patrol~ access-control",
    "tourism": "*safari~ *tour-operator *tours *toere *travel-agency itinerary guide~ gids~ wildlife",
}
