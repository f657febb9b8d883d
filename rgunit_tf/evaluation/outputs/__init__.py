"""What the models under evaluation are asked, and what they give: target domains, translations, neighbours."""
