"""What trailhound is compared with: small whole programs that print one line for each alert, or only unpack."""
