"""Words that are said in place of a name: what a caller asks back, what a sentence is made of."""

_ENGLISH = """
a about absolutely again agent ah all alright am an another any are back because but can card
certainly change choose correct could definitely do done eight else er erm everything exactly
first five four from get give go goodbye hear hello help her hey hi his hmm how huh i i'd i'll i'm
in information is it it's language last later leave let like live me menu more my need neither
never new next nine no nobody none nope not nothing now number of off oh ok okay on once one only
operator option options other our over pardon pay please press real really repeat right say second
service seven six skip so some somebody someone something sorry speak support sure take talk thank
thanks that that's their them then there they third this those three time to today try two uh um
up use want was we weather well were what when where which who whole why with would wrong yeah yep
yes you your yup zero
"""
_SPANISH = """
adelante adiós agente ahora al algo alguien alguna así atrás ayuda bien bueno buenas buenos cero
claro como con correcta correcto cuatro cuál cuándo cuánto cómo de decir deme después diga dígame
dos dónde e efe eh ele ella ellas ellos eme en ene eres erre es esa ese eso espera espere esta
este esto está estoy favor gracias ha hablar hay he hola hoy humano la las listo lo los luego mal
mañana me mi miércoles mis momento más nada nadie necesito ni ninguna ninguno no nombre nunca
número o ocho oiga operador otra otras otro otros oye oír pagar para perdone perdón pero persona
por primero puede pues que quiero quisiera quién qué repetir repita repite se segundo seis señor
señora si siete siguiente sin son su sus sí también tarde tarjeta te tengo todo todos total tres
tu un una uno usted va vale venga verdad vez volver y ya yo
"""
NO_NAMES = frozenset((_ENGLISH + _SPANISH).split())
"""of both languages: callers mix them. "Will", "Bill" and "Domingo" are not among them."""
