"""From a result to what rich can show: tables, bars, text. No arithmetic is done here."""
