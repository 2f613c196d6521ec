"""The light of a plate, where `correct.method` asks for it.

in     results/P/layout.json, blocks/ingest/0000.parquet …, the instrument's own profile
out    results/P/light.json    per channel: light, dark level, whether and why it is corrected
"""

if CORRECTED:

    rule estimate_light:
        """Uneven illumination is estimated from a sample of the fields, or taken from the instrument."""
        input:
            layout="<results>/{plate}/layout.json",
            manifest="<results>/{plate}/manifest.parquet",
            tables=block_tables("ingest"),
        output:
            light="<results>/{plate}/light.json",
        log:
            "<logs>/estimate_light/{plate}.log",
        benchmark:
            "<benchmarks>/estimate_light/{plate}.tsv"
        conda:
            "../envs/ingest.yaml"
        params:
            images=in_sheet("images"),
            options=config["correct"],
            seed=config["seed"],
            code=code_of("estimate_light"),
        script:
            "../scripts/estimate_light.py"
