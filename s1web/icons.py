"""The icons: own drawings on a grid of 16, strokes in the colour of the text around them."""

ICONS = {
    "overview": '<rect x="2.5" y="2.5" width="4.5" height="4.5"/><rect x="9" y="2.5" width="4.5" height="4.5"/>'
    '<rect x="2.5" y="9" width="4.5" height="4.5"/><rect x="9" y="9" width="4.5" height="4.5"/>',
    "pool": '<ellipse cx="8" cy="3.75" rx="5" ry="1.75"/>'
    '<path d="M3 3.75v8.5c0 1 2.25 1.75 5 1.75s5-.75 5-1.75v-8.5M3 8c0 1 2.25 1.75 5 1.75S13 9 13 8"/>',
    "map": '<path d="m1.75 4 4-1.75 4.5 1.75 4-1.75v9.75l-4 1.75-4.5-1.75-4 1.75zM5.75 2.25V12M10.25 4v9.75"/>',
    "search": '<circle cx="7" cy="7" r="4.25"/><path d="m10.2 10.2 3.3 3.3"/>',
    "curate": '<path d="M2 3h12L9.75 8.5v4.75l-3.5-1.75v-3z"/>',
    "jobs": '<path d="M2.5 4h1M2.5 8h1M2.5 12h1M6 4h7.5M6 8h7.5M6 12h4.5"/>',
    "workers": '<rect x="2.5" y="2.5" width="11" height="4.5" rx="1"/>'
    '<rect x="2.5" y="9" width="11" height="4.5" rx="1"/>'
    '<path d="M5 4.75h.01M5 11.25h.01M8.5 4.75h3M8.5 11.25h3"/>',
    "user": '<circle cx="8" cy="5.5" r="2.75"/><path d="M2.75 13.5c.6-2.6 2.6-4 5.25-4s4.65 1.4 5.25 4"/>',
    "keyboard": '<rect x="1.5" y="4" width="13" height="8" rx="1"/>'
    '<path d="M4 6.75h.01M6.7 6.75h.01M9.3 6.75h.01M12 6.75h.01M5 9.5h6"/>',
    "api": '<path d="M5.5 4 1.75 8l3.75 4M10.5 4l3.75 4-3.75 4M9 2.75 7 13.25"/>',
    "info": '<circle cx="8" cy="8" r="5.75"/><path d="M8 7.25v3.5M8 5.1v.01"/>',
    "warn": '<path d="M8 2.25 14.25 13.5H1.75zM8 6.5v3.25M8 11.6v.01"/>',
    "error": '<circle cx="8" cy="8" r="5.75"/><path d="m5.9 5.9 4.2 4.2m0-4.2-4.2 4.2"/>',
    "success": '<circle cx="8" cy="8" r="5.75"/><path d="m5.4 8.2 1.9 1.9 3.4-3.9"/>',
    "previous": '<path d="m9.75 3.5-4.5 4.5 4.5 4.5"/>',
    "next": '<path d="m6.25 3.5 4.5 4.5-4.5 4.5"/>',
    "down": '<path d="m4 6.25 4 4 4-4"/>',
}
