"""The style sheet of a report: phone, desktop, dark and paper."""

from __future__ import annotations

from collections.abc import Sequence

# Line colours of charts, on light and on dark ground; told apart by colour-blind eyes as well (after Okabe and Ito).
_LIGHT = ("#0b62a8", "#c1500b", "#00785a", "#a03d7c", "#7a5c00", "#4a4f57")
_DARK = ("#6db8f2", "#f2935c", "#4fd1a5", "#e392c4", "#e0bf4d", "#b4bac4")
_DASHES = ("", "7 3", "2 3", "10 3 2 3", "4 2", "1 2")


def _palette(colours: Sequence[str]) -> str:
    return "".join(f"--line-{number}:{colour};" for number, colour in enumerate(colours))


def _lines() -> str:
    return "".join(
        f".line-{number}{{stroke:var(--line-{number});stroke-dasharray:{dash or 'none'}}}"
        f".swatch-{number}{{background:var(--line-{number})}}.dot.line-{number}{{fill:var(--line-{number})}}"
        for number, dash in enumerate(_DASHES)
    )


_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6470;--ground:#fff;--panel:#f5f6f8;--edge:#dfe3e8;
--accent:#0b62a8;%(light)s}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a4acb8;--ground:#14171b;--panel:#1d2127;
--edge:#333a44;--accent:#6db8f2;%(dark)s}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%%;text-size-adjust:100%%;scroll-behavior:smooth}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
.page{max-width:72rem;margin:0 auto;padding:1rem}
a{color:var(--accent)}
header h1{margin:.5rem 0 0;font-size:clamp(1.6rem,5vw,2.4rem);line-height:1.15;letter-spacing:-.015em}
.lead{margin:.3rem 0 1rem;color:var(--soft);max-width:46rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:0;padding:.55rem 0;list-style:none;
border-block:1px solid var(--edge);font-size:.92rem}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
h2{margin:2.6rem 0 .8rem;font-size:1.5rem;letter-spacing:-.01em;line-height:1.2}
h3,h4{margin:1.5rem 0 .3rem;font-size:1.08rem;line-height:1.3}
small,.caption,figcaption,.footnotes,caption,summary,.interval,.row-title{color:var(--soft)}
.caption{margin:.1rem 0 .8rem;max-width:46rem;font-size:.92rem}
.stats{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.4rem,1fr));gap:.7rem;margin:1.2rem 0}
.stat{padding:.75rem .9rem;background:var(--panel);border:1px solid var(--edge);border-radius:.7rem;display:flex;
flex-direction:column;justify-content:space-between;gap:.3rem}
.stat dt{flex:1;font-size:.85rem;line-height:1.3;color:var(--soft)}
.stat dd{margin:0}
.stat b{display:block;font-size:1.75rem;line-height:1.15;font-variant-numeric:tabular-nums}
.stat small{display:block;font-size:.76rem;line-height:1.3}
table{width:100%%;margin:1rem 0;border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{padding:0 0 .35rem;text-align:left;font-weight:600;color:var(--ink)}
th,td{padding:.42rem .7rem .42rem 0;border-bottom:1px solid var(--edge);text-align:left;vertical-align:top}
thead th{overflow-wrap:break-word;border-bottom-width:2px;color:var(--soft);font-size:.82rem;font-weight:600}
tbody th{font-weight:500}
tbody th small{display:block;font-weight:400}
small{font-size:.8rem}
b{font-weight:650}
.value{white-space:nowrap}
td .interval{display:block}
.stat .interval{display:block}
.interval{font-size:.8rem}
.beside{display:block;color:var(--soft);font-size:.86rem}
.beside .interval{display:inline;margin-left:.35rem}
.beside b{font-weight:600;color:var(--ink)}
.none{color:var(--soft)}
.arrow{color:var(--soft)}
sup{line-height:0;font-size:.7rem;margin-left:.2rem}
sup a{text-decoration:none;padding:.2rem .1rem}
.footnotes{font-size:.8rem}
.footnotes h3{font-size:.88rem}
.footnotes ol{margin:.3rem 0;padding-left:1.6rem}
.footnotes li:target{color:var(--ink);background:var(--panel)}
.facts{display:grid;grid-template-columns:minmax(7rem,12rem) 1fr;gap:.25rem 1rem;margin:1rem 0;font-size:.92rem}
.facts dt{color:var(--soft)}
.facts dd{margin:0}
details{margin:1rem 0;border:1px solid var(--edge);border-radius:.6rem;padding:.2rem .9rem}
summary{cursor:pointer;padding:.4rem 0;font-weight:600}
.sheet{margin:1.6rem 0 2.4rem}
.sheet h3{margin-top:.2rem;font-size:1.18rem}
.chip{display:block;width:fit-content;margin:0;padding:.05rem .55rem;border-radius:1rem;background:var(--panel);
border:1px solid var(--edge);color:var(--soft);font-size:.75rem}
.rows{display:grid;grid-template-columns:minmax(0,1fr);gap:1rem 1.6rem}
.row{margin:0;min-width:0}
.opening{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.6rem .9rem;margin:.6rem 0 1.2rem}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.2rem;min-width:0}
.row-title{margin:0 0 .25rem;font-size:.85rem;line-height:1.3}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(4.6rem,1fr));gap:.45rem .4rem}
.narrow .tiles{grid-template-columns:repeat(var(--n),minmax(0,1fr))}
.tile{margin:0;min-width:0;max-width:10rem}
.tile img{display:block;width:100%%;height:auto;border-radius:.3rem;background:var(--panel)}
.sharp{image-rendering:pixelated}
.tile figcaption{margin-top:.15rem;font-size:.72rem;line-height:1.2}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%%,19rem),1fr));gap:1rem 1.4rem}
.chart{margin:0;min-width:0}
.chart figcaption{font-weight:600;font-size:.92rem;color:var(--ink)}
.chart svg{display:block;width:100%%;height:auto}
.chart polyline,.chart circle{fill:none;stroke-width:1.8;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.axis line{stroke:var(--edge);stroke-width:1}
.axis text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.legend{display:flex;flex-wrap:wrap;gap:.05rem .9rem;margin:.1rem 0 0;padding:0;list-style:none;font-size:.8rem;
color:var(--soft)}
.legend b{color:var(--ink);font-weight:600}
.swatch{display:inline-block;width:.75rem;height:.75rem;margin-right:.35rem;border-radius:.2rem;vertical-align:-.05rem}
footer{margin:3rem 0 1rem;padding-top:.8rem;border-top:1px solid var(--edge);color:var(--soft);font-size:.85rem}
%(lines)s
@media (min-width:48rem){
.narrow{grid-template-columns:repeat(var(--abreast),minmax(0,1fr))}
.rows:not(.narrow)>.titled{display:grid;grid-template-columns:8.5rem 1fr;gap:1rem;align-items:center}
.tiles{grid-template-columns:repeat(auto-fill,minmax(5.6rem,7.2rem))}
.long th:first-child{width:16rem}}
@media screen and (max-width:38rem){
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%%)}
table,tbody,tr,th,td,caption{display:block;width:auto}
tr{padding:.55rem 0;border-bottom:1px solid var(--edge)}
tbody th{padding:0;border:0;font-weight:600}
td{display:flex;justify-content:space-between;gap:1rem;padding:.12rem 0;border:0;text-align:right}
td:has(>.none){display:none}
td::before{content:attr(data-label);flex:none;max-width:45%%;color:var(--soft);text-align:left}
td .interval,.beside .interval{display:inline;margin-left:.4rem}
.beside{text-align:right}
.narrow figcaption{font-size:.63rem}
.facts{grid-template-columns:1fr;gap:0}
.facts dd{margin-bottom:.5rem}}
@media print{
@page{margin:14mm}
:root{color-scheme:light}
body{font-size:10pt}
.page{max-width:none;padding:0}
nav{display:none}
h2,h3,h4,summary,.row-title,.chart figcaption,.chip,.caption,caption{break-after:avoid}
table{font-size:8.5pt}
th,td{padding:.2rem .5rem .2rem 0}
.long th:first-child{width:32%%}
.long th:nth-child(2){width:18%%}
.stats{grid-template-columns:repeat(5,1fr)}
.stat b{font-size:15pt}
.sheet{margin:.6rem 0 1.2rem}
.row,.tile,.chart,tr,.stat,.caption,li{break-inside:avoid}
details{border:0;padding:0}
details::details-content{content-visibility:visible;block-size:auto;display:block}
.tile img,.swatch,.stat,.chip{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.rows{display:block}
.row{margin-bottom:2mm}
.tile figcaption{font-size:6.5pt}
.narrow>.row{display:inline-block;width:calc(98%%/var(--abreast));padding-right:4mm;vertical-align:top}
.rows:not(.narrow)>.titled{display:grid;grid-template-columns:28mm 1fr;gap:3mm;align-items:center}
.opening{grid-template-columns:repeat(6,1fr)}
.tiles{grid-template-columns:repeat(auto-fill,minmax(15mm,17mm));gap:1.5mm}
.charts{grid-template-columns:repeat(3,1fr)}
a{color:inherit;text-decoration:none}}
"""


def style() -> str:
    """The page's style sheet."""
    return _STYLE.strip() % {"light": _palette(_LIGHT), "dark": _palette(_DARK), "lines": _lines()}
